"""A day of an operator: the packages on a stock Debian, work, faults, and how the operator notices them.

The tests go on from one another, in this order, on one machine.
"""
import re

import pytest

STATE = "/var/lib/millrace-worker"
SETTINGS = "/etc/millrace/millraced.toml"
# A job writes its payload into a file when it begins and into another when it has ended.
COMMAND = f"read job; echo $job >> {STATE}/begun; sleep $(cat {STATE}/span); echo $job >> {STATE}/ended"
STEPS = True
EXPOSURE_MAX = 1.3  # systemd-analyze security


def enqueue(machine, begin, count, topic="jobs"):
    machine.sh(f"for i in $(seq {begin} {begin + count - 1}); do echo '{{\"payload\": \"'$i'\"}}'; done"
               f" | millrace enqueue {topic} --jsonl -")


def runs(machine, what="ended"):
    """The payloads that are in a job's file, in order."""
    return machine.sh(f"sort -n {STATE}/{what} 2>/dev/null || true").split()


def until_done(machine, count):
    machine.until(f"test $(sort -u {STATE}/ended | wc -l) -ge {count} && echo all", "all", 90)


def pid(machine, unit):
    return machine.show(unit, "MainPID")


def test_install(machine):
    machine.apt("install ./millrace-*.deb ./libmillrace0_*.deb")
    machine.until_active("millraced", "millrace-gateway")
    assert "is enabled" not in machine.sh("systemctl is-enabled millraced millrace-gateway")
    assert "Failed" not in machine.sh("journalctl -u 'millrace*' --no-pager")
    assert re.search("^HTTP/1.1 200", machine.http("/readyz"))
    machine.until("exec 3<>/dev/tcp/127.0.0.1/8080 && echo open", "open")
    assert machine.show("millraced", "WatchdogUSec") == "30s"
    assert "libmillrace.so.0 " in machine.sh("ldconfig -p")
    assert machine.sh("stat -c '%a %U:%G' /var/lib/millrace") == "750 millrace:millrace"
    machine.say("broker and gateway are active on the settings of the package")


@pytest.mark.parametrize("unit", ["millraced.service", "millrace-worker@jobs-1.service",
                                  "millrace-gateway.service", "millrace-backup.service"])
def test_the_exposure_of_a_unit(machine, unit):
    said = machine.sh(f"systemd-analyze security --no-pager {unit} | tail -1", check=False)
    figure = float(re.search(r"exposure level for \S+: ([0-9.]+)", said).group(1))
    machine.say(f"exposure of {unit}: {figure}")
    assert figure <= EXPOSURE_MAX


def test_eight_workers_do_the_jobs_once_each(machine):
    machine.write("/etc/millrace/workers/jobs.env",
                  f"MILLRACE_EXEC='{COMMAND}'\nMILLRACE_OPTIONS='--concurrency 2'\n")
    machine.write(f"{STATE}/span", "0.1\n")
    machine.sh(f"chown -R millrace-worker: {STATE}; systemctl enable --now millrace-worker@jobs-{{1..8}}")
    machine.until_active(*(f"millrace-worker@jobs-{n}" for n in range(1, 9)))
    enqueue(machine, 1, 200)
    until_done(machine, 200)
    assert runs(machine) == [str(n) for n in range(1, 201)]
    machine.say("8 workers: 200 jobs, each once")


@pytest.mark.parametrize("unit", ["millraced", "millrace-worker@jobs-1"])
def test_what_freezes_is_killed_by_the_watchdog_and_started_anew(machine, unit):
    service = unit if "@" not in unit else "millrace-worker@"
    machine.drop_in(f"{service}.service", "[Service]\nWatchdogSec=3\n")
    machine.sh(f"systemctl restart {unit}")
    machine.until_active(unit)
    before = pid(machine, unit)
    machine.sh(f"kill -STOP {before}")
    machine.until(f"systemctl show -P MainPID {unit}", rf"^(?!{before}$|0$)\d+$")
    machine.until_active(unit)
    assert "Watchdog timeout" in machine.sh(f"journalctl -u {unit} --no-pager")
    machine.no_drop_in(f"{service}.service")
    machine.sh(f"systemctl restart {unit}")
    machine.say(f"{unit} froze, the watchdog killed it, it is back")


@pytest.mark.parametrize("deed, unit", [
    ("restart", "millraced"), ("kill -s KILL", "millraced"), ("kill -s KILL", "millrace-worker@jobs-2")])
def test_under_load_it_loses_nothing(machine, deed, unit):
    machine.sh(f"rm -f {STATE}/begun {STATE}/ended; echo 0.3 > {STATE}/span")
    enqueue(machine, 1, 100)
    machine.until(f"wc -l < {STATE}/begun", r"^[1-9]")
    before = pid(machine, unit)
    machine.sh(f"systemctl {deed} {unit}")
    machine.until(f"systemctl show -P MainPID {unit}", rf"^(?!{before}$|0$)\d+$")
    until_done(machine, 100)
    assert sorted(set(map(int, runs(machine)))) == list(range(1, 101))
    again = len(runs(machine, "begun")) - 100
    assert again <= (0 if unit == "millraced" else 2)  # what ran in the worker that was killed
    machine.say(f"{deed} of {unit} under load: 100 of 100 jobs, {again} of them begun twice")


def test_a_stop_drains(machine):
    machine.sh(f"rm -f {STATE}/begun {STATE}/ended; echo 2 > {STATE}/span")
    enqueue(machine, 1, 40)
    machine.until(f"wc -l < {STATE}/begun", r"^1[0-9]")
    machine.sh("systemctl stop 'millrace-worker@jobs-*'")
    begun, ended = runs(machine, "begun"), runs(machine)
    assert begun == ended and len(set(begun)) == len(begun) < 40
    machine.sh(f"echo 0.05 > {STATE}/span; systemctl start millrace-worker@jobs-{{1..8}}")
    until_done(machine, 40)
    assert runs(machine, "begun") == [str(n) for n in range(1, 41)]
    machine.say(f"stop: {len(begun)} jobs were finished, the others handed back, each ran once")


def test_a_reload_changes_topics_at_once(machine):
    before = pid(machine, "millraced")
    machine.sh(f"printf '\\n[[topic]]\\nname = \"mail\"\\nhistory = true\\n' >> {SETTINGS}")
    machine.sh("systemctl reload millraced")
    machine.until("millrace topics", "mail")
    assert pid(machine, "millraced") == before
    machine.say("reload: the topic mail is there, in the same process")


def test_the_journal_reads_like_sentences(machine):
    said = machine.sh("journalctl -u millraced -u 'millrace-worker@*' -u millrace-gateway -o cat --no-pager")
    assert '{"' not in said and "<6>" not in said and "is ready" in said
    warnings = machine.sh("journalctl -u millraced -p warning -o cat --no-pager")
    assert "is ready" not in warnings
    machine.say("journal: " + next(line for line in said.splitlines() if "is ready" in line))


def test_a_crash_loop_ends_in_a_failed_state(machine):
    machine.sh("systemctl stop millraced; mv /var/lib/millrace/shard-0.db /root/kept;"
               "head -c 8192 /dev/zero | tr '\\0' x > /var/lib/millrace/shard-0.db;"
               "chown millrace: /var/lib/millrace/shard-0.db; systemctl start millraced", check=False)
    machine.until("systemctl is-failed millraced; systemctl show -P NRestarts millraced", "^failed\n[1-9]", 90)
    said = machine.sh("journalctl -u millraced -n 30 -o cat --no-pager; systemctl status --no-pager millraced", check=False)
    assert "damaged" in said or "not a database" in said
    assert "Start request repeated too quickly" in said
    machine.sh("mv -f /root/kept /var/lib/millrace/shard-0.db; systemctl reset-failed; systemctl start millraced")
    machine.until_active("millraced")
    machine.say("a damaged file: started 5 times, then failed for all to see; restored, active")


@pytest.mark.parametrize("mistake, code", [("settings", "78"), ("command line", "64")])
def test_what_a_start_cannot_mend_is_not_started_again(machine, mistake, code):
    restarts = machine.show("millraced", "NRestarts")
    if mistake == "settings":
        machine.sh(f"cp -p {SETTINGS} /root/settings; printf '\\n[brokr]\\n' >> {SETTINGS}")
    else:
        machine.drop_in("millraced.service",
                        "[Service]\nExecStart=\nExecStart=/usr/bin/millraced --confg x\n")
    machine.fails("systemctl restart millraced")
    machine.until("systemctl is-failed millraced", "^failed")
    assert machine.show("millraced", "NRestarts") == restarts
    status = machine.sh("systemctl show millraced; journalctl -u millraced -n 20 --no-pager")
    assert f"status={code}" in status
    if mistake == "settings":
        assert "unknown key 'brokr'" in status
        machine.sh(f"cp -p /root/settings {SETTINGS}")
    else:
        machine.no_drop_in("millraced.service")
    machine.sh("systemctl reset-failed; systemctl start millraced")
    machine.until_active("millraced")
    machine.say(f"a wrong {mistake}: failed with {code} at once, not started again")


@pytest.mark.parametrize("name, text, code", [
    ("quote", "MILLRACE_EXEC='cat\n", "78"), ("empty", "# nothing\n", "78"),
    ("wrong", "MILLRACE_EXEC=cat\nMILLRACE_OPTIONS='--concurency 2'\n", "64")])
def test_a_worker_whose_file_is_wrong_is_not_started_again(machine, name, text, code):
    machine.write(f"/etc/millrace/workers/{name}.env", text)
    machine.fails(f"systemctl start millrace-worker@{name}-1")
    machine.until(f"systemctl is-failed millrace-worker@{name}-1", "^failed")
    assert machine.show(f"millrace-worker@{name}-1", "NRestarts") == "0"
    assert f"status={code}" in machine.sh(f"journalctl -u millrace-worker@{name}-1 --no-pager")
    machine.say(f"a worker's file that is wrong ({name}): failed with {code}, not started again")


def test_a_backup_by_its_timer_and_its_restore(machine):
    enqueue(machine, 1, 5, "mail")
    machine.drop_in("millrace-backup.timer", "[Timer]\nOnActiveSec=1s\nRandomizedDelaySec=0\nAccuracySec=1\n")
    machine.sh("systemctl enable --now millrace-backup.timer")
    name = machine.until("ls /var/lib/millrace-backup | grep -v lock", "^auto-[0-9TZ]+$")
    machine.no_drop_in("millrace-backup.timer")
    machine.until("systemctl is-active millrace-backup", "^inactive")
    assert machine.show("millrace-backup", "Result") == "success"
    enqueue(machine, 6, 5, "mail")
    machine.sh("systemctl stop millraced && millrace restore /var/lib/millrace-backup/" + name +
               " --data-dir /var/lib/millrace --replace && chown -R millrace: /var/lib/millrace && systemctl start millraced")
    machine.until_active("millraced")
    assert re.search(r"mail .* 5 ", machine.sh("millrace topics"))
    machine.say(f"the timer made {name}; restored, its 5 jobs are there")


def test_a_full_disk_refuses_and_goes_on(machine):
    machine.sh("systemctl stop millraced && mount -t tmpfs -o size=128m small /var/lib/millrace && systemctl start millraced")
    machine.until_active("millraced")
    enqueue(machine, 1, 5, "mail")
    machine.sh("head -c 80M /dev/zero > /var/lib/millrace/filler")
    machine.until("millrace enqueue mail more 2>&1", "disk_full")
    machine.until("exec 3<>/dev/tcp/127.0.0.1/7380; printf 'GET /readyz HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3",
                  "(?s)^HTTP/1.1 503.*disk")
    machine.sh("rm /var/lib/millrace/filler")
    machine.until("millrace enqueue mail more 2>&1", "mail/")
    machine.sh("systemctl stop millraced && umount /var/lib/millrace && systemctl start millraced")
    machine.until_active("millraced")
    machine.say("a full disk: enqueue refused, readiness said so; with space it went on")


def test_the_filter_that_killed_them_is_seen(machine):
    machine.drop_in("millraced.service", "[Service]\nSystemCallFilter=~@resources\n")
    machine.fails("systemctl restart millraced")
    machine.until("systemctl is-failed millraced", "^failed", 90)
    machine.no_drop_in("millraced.service")
    machine.sh("systemctl reset-failed; systemctl restart millraced")
    machine.until_active("millraced")
    machine.say("with @resources forbidden whole the broker dies: this day would see it")


def test_a_reboot_brings_all_back(machine):
    stored = "millrace jobs mail | awk 'NR > 1 {print $1}' | sort"
    before = machine.sh(stored)
    machine.reboot()
    machine.until_active("millraced", "millrace-gateway", *(f"millrace-worker@jobs-{n}" for n in range(1, 9)))
    assert "mail/" in before and machine.until(stored, "mail/") == before
    enqueue(machine, 1000, 8)
    machine.until(f"grep -c '^100[0-7]$' {STATE}/ended", "^8$")
    machine.say("reboot: every unit is back, the jobs are there, new ones are done")


def test_remove_keeps_the_data_and_purge_deletes_it(machine):
    machine.sh(f"echo 5 > {STATE}/span; rm -f {STATE}/begun {STATE}/ended")
    enqueue(machine, 1, 4)
    machine.until(f"wc -l < {STATE}/begun", "^4$")
    machine.apt("remove 'millrace-*'")
    assert runs(machine, "begun") == runs(machine) == ["1", "2", "3", "4"]  # they drained
    machine.sh("test -s /var/lib/millrace/shard-0.db && ! pgrep -x millraced; ! systemctl cat millraced")
    machine.apt("install ./millrace-*.deb")
    machine.until_active("millraced")
    assert "mail" in machine.sh("millrace topics") and "mail" in machine.sh(f"cat {SETTINGS}")
    machine.apt("purge 'millrace-*'")
    machine.sh("! ls -d /var/lib/millrace /var/lib/millrace-backup /var/lib/millrace-worker /etc/millrace")
    assert "millrace" not in machine.sh("systemctl list-unit-files --no-pager --no-legend")
    machine.say("removed: drained, data kept, found again by the next install; purged: nothing left")
