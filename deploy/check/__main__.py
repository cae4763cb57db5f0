"""Whether deploy/ is sound: `just deploy-check`. Nothing is skipped: what a check needs and does not find fails it."""

import argparse
import pathlib
import sys
import tempfile
import time
import traceback

import alerts
import balancer
import chart
import image
import running
import settings
import units
from sources import Sources


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--built", type=pathlib.Path, required=True, help="folder of the built binaries")
    parser.add_argument("--debian", type=pathlib.Path, required=True, help="folder with promtool and systemd-analyze")
    args = parser.parse_args()
    began = time.monotonic()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="posthouse-deploy-") as scratch:
        sources = Sources(args.built.resolve(), args.debian.resolve(), pathlib.Path(scratch))
        for part in (image, chart, units, balancer, alerts, settings, running):
            try:
                for line in part.check(sources):
                    print(f"{part.__name__}: {line}", flush=True)
            except Exception as error:
                failed += 1
                known = isinstance(error, AssertionError)
                print(f"{part.__name__}: FAILED: {error if known else traceback.format_exc()}", flush=True)
    print(f"deploy/ is {'NOT sound' if failed else 'sound'} ({time.monotonic() - began:.0f} s).")
    return 1 if failed else 0


sys.exit(main())
