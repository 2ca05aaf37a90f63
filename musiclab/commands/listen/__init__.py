"""``musiclab listen``: songs as pages that play them, with what models say along them."""
