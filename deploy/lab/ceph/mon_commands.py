"""Sends monitor commands to a lab cluster over one connection; the ceph client would take 0.3 s for each.

    mon_commands.py --conf F --cluster C < commands     one JSON command a line; its "input" key is the command's data
    mon_commands.py --conf F --cluster C wait-osds N    until N OSDs are up and in
    mon_commands.py --conf F --cluster C wait-clean     until every placement group is active+clean and every pool there
"""
import argparse
import json
import sys
import time

import rados


def mon_command(cluster, command):
    command = dict(command)
    data = command.pop("input", "").encode()
    status, answer, message = cluster.mon_command(json.dumps(command), data)
    if status:
        sys.exit("error: '%s' answered %d: %s" % (command["prefix"], status, message))
    return answer


def status(cluster):
    return json.loads(mon_command(cluster, {"prefix": "status", "format": "json"}))


def missing_osds(cluster, wanted):
    osds = status(cluster)["osdmap"]
    if osds["num_up_osds"] < wanted or osds["num_in_osds"] < wanted:
        return "%d of %d OSDs are up, %d in" % (osds["num_up_osds"], wanted, osds["num_in_osds"])


def unclean(cluster):
    groups = status(cluster)["pgmap"]
    states = {state["state_name"]: state["count"] for state in groups.get("pgs_by_state", [])}
    if groups["num_pgs"] == 0 or states.get("active+clean", 0) != groups["num_pgs"]:
        return "placement groups: %s" % (states or "none yet")


def wait(problem, seconds):
    deadline = time.monotonic() + seconds
    while (found := problem()) is not None:
        if time.monotonic() > deadline:
            sys.exit("error: after %d s still: %s" % (seconds, found))
        time.sleep(0.25)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conf", required=True)
    parser.add_argument("--cluster", required=True)
    parser.add_argument("--seconds", type=int, default=120, help="how long a wait may take (default 120)")
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    # Without these two librados waits for ever on a monitor that is gone.
    bounds = {"client_mount_timeout": "60", "rados_mon_op_timeout": "60"}
    cluster = rados.Rados(conffile=arguments.conf, clustername=arguments.cluster, name="client.admin", conf=bounds)
    try:
        cluster.connect()
    except rados.Error as error:
        sys.exit("error: no quorum of monitors within 60 s: %s" % error)
    try:
        if not arguments.words:
            for line in filter(str.strip, sys.stdin):
                mon_command(cluster, json.loads(line))
        elif arguments.words[0] == "wait-osds":
            wait(lambda: missing_osds(cluster, int(arguments.words[1])), arguments.seconds)
        elif arguments.words[0] == "wait-clean":
            wait(lambda: unclean(cluster), arguments.seconds)
        else:
            parser.error("unknown command '%s'" % arguments.words[0])
    finally:
        cluster.shutdown()


main()
