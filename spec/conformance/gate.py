"""Judges one role's index.json of the Autobahn suite.

    gate.py ROLE INDEX CASES [PATTERN...]

Every case of the list CASES (those a PATTERN names, where any is given) must
be in the index and no other, with the behaviour OK both during the case and at
its close.  The suite calls three cases informational: they have no right
answer, so there that word is as good.  Compression that was not agreed on is
UNIMPLEMENTED to the suite, and a failure here.

Two lines tell of it: how many passed and failed, and how many had which
behaviour.
"""

import collections
import fnmatch
import json
import sys

INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}


def complaints(listed, found):
    for case in listed:
        if case not in found:
            yield f"{case}: not run"
            continue
        good = {"OK", "INFORMATIONAL"} if case in INFORMATIONAL else {"OK"}
        for key in ("behavior", "behaviorClose"):
            if found[case].get(key) not in good:
                yield f"{case}: {key} is {found[case].get(key)}"
    for case in found:
        if case not in listed:
            yield f"{case}: run, but not in the list"


def main(role, index, cases, *patterns):
    with open(cases) as file:
        listed = file.read().split()
    if patterns:
        listed = [case for case in listed
                  if any(fnmatch.fnmatchcase(case, p) for p in patterns)]
    with open(index) as file:
        agents = json.load(file)
    if not listed or len(set(listed)) != len(listed):
        sys.exit(f"{role}: the list of cases is empty or has a case twice")
    if len(agents) != 1:
        sys.exit(f"{role}: the index names {len(agents)} agents, not one")
    (found,) = agents.values()
    wrong = list(complaints(listed, found))
    for line in wrong:
        print(f"{role}: {line}")
    failed = len({line.split(":")[0] for line in wrong})
    passed = len(set(listed) | set(found)) - failed
    behaviours = collections.Counter(case.get("behavior") for case in found.values())
    print(f"{role}: {passed} passed, {failed} failed")
    print(f"{role}: " + ", ".join(f"{n} {word}" for word, n in behaviours.most_common()))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
