"""Headings, text, tables and pictures as one page."""
