"""Writes testdata/OPERATOR.tar.gz. See README.md."""

import argparse
import collections
import os
import sys
import time

from litegen import archive, case as cases, operators  # noqa: F401 (operators register themselves)
from litegen.case import GENERATORS, generate
from litegen.oracle import Oracle


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("operators", nargs="*", help="default: all")
    p.add_argument("--out", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "testdata"))
    p.add_argument("--seed", type=int, default=0, help="other data and pairs of options than those in git")
    p.add_argument("--verbose", action="store_true", help="print every case that is dropped")
    a = p.parse_args()
    cases.SEED = a.seed
    os.makedirs(a.out, exist_ok=True)
    oracle = Oracle()
    for name in a.operators or sorted(GENERATORS):
        start, kept, dropped = time.time(), [], collections.Counter()
        seen = set()
        for case in generate(name):
            if case.name in seen:
                sys.exit(f"{name}: two cases {case.name}")
            seen.add(case.name)
            status, value = oracle.run(case)
            if status == "ok":
                kept.append((case, value))
                continue
            dropped[status, value] += 1
            if a.verbose:
                print(f"  {name} {case.name}: {status}: {value}")
        path = os.path.join(a.out, name + ".tar.gz")
        archive.write(path, kept)
        print(f"{name}: {len(kept)} cases, {os.path.getsize(path)} bytes, {time.time() - start:.1f} s", flush=True)
        for (status, why), n in sorted(dropped.items()):
            print(f"  dropped {n}: {status}: {why}")


if __name__ == "__main__":
    main()
