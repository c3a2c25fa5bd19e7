"""The project: its settings, its addresses, and what belongs to no app."""

import pymysql

# Django's MySQL backend imports MySQLdb; this driver needs no C compiler on the server.
pymysql.install_as_MySQLdb()
