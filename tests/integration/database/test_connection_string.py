"""A real server takes connection strings of every kind."""

from urllib.parse import unquote, urlsplit

import psycopg
from psycopg.conninfo import make_conninfo

from worker.database.connection_string import to_conninfo


def test_each_kind_connects(empty_database: str) -> None:
    parts = urlsplit(empty_database)
    user, password, name = (unquote(part or "") for part in (parts.username, parts.password, parts.path[1:]))
    libpq = make_conninfo(host=parts.hostname, port=parts.port, dbname=name, user=user, password=password)
    npgsql = f'Host={parts.hostname};Port={parts.port or 5432};Database={name};User Id={user};Password="{password}"'
    npgsql += ";Search Path='\"a b\", public';Timezone=Asia/Tokyo;Pooling=true;Timeout=5"
    for text in (empty_database, libpq, npgsql):
        with psycopg.connect(to_conninfo(text)) as connection:
            found = connection.execute("SELECT current_user::text, current_database()::text").fetchone()
            assert found == (user, name)
            shown = connection.execute("SELECT current_setting('search_path'), current_setting('TimeZone')")
            if text == npgsql:
                assert shown.fetchone() == ('"a b", public', "Asia/Tokyo")
