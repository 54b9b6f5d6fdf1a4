"""A fail-over to a replica that lags behind, for a chaos run: the data directory is swapped back by some seconds."""

import shutil
import subprocess
import time

from demo.embedded_postgres import EmbeddedPostgres
from tests.support.shop import Shop

LAG_SECONDS = 3.0


def fail_over(server: EmbeddedPostgres, shop: Shop) -> set[str]:
    """Kill the server and bring it back as it was LAG_SECONDS ago; return the versions that it knows no more."""
    data, replica = server.folder / "data", server.folder / "replica"
    server.kill()
    # With its owner, who is not root.
    subprocess.run(["cp", "-a", str(data), str(replica)], check=True)
    server.start()
    time.sleep(LAG_SECONDS)
    server.kill()
    # A dead server commits nothing more: what is published now and has no row afterwards has lost it.
    published = {path.name for path in shop.models.glob("v*")}
    shutil.rmtree(data)
    replica.rename(data)
    server.start()
    return published - {model["Version"] for model in shop.models_in_database()}
