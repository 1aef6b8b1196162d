"""Accesses that the sandbox of the units must deny, tried from inside: by a worker's command, and in the broker's sandbox."""
import re

import pytest

# In Perl, which every Debian has: system calls by their numbers (x86-64).
TRIES = {
    "a write outside the state folder": 'open(F, ">", "/usr/share/written") or die "refused: $!"',
    "a write to the settings": 'open(F, ">>", "/etc/millrace/millraced.toml") or die "refused: $!"',
    "a look at the broker's data": 'opendir(D, "/var/lib/millrace/.") or die "refused: $!"',
    # Each of these is allowed to everybody outside.
    "ptrace": 'syscall(101, 0, 0, 0, 0) >= 0 or die "refused: $!"',
    "a call of @resources": 'my $m = pack("Q", 1); syscall(203, 0, 8, $m) >= 0 or die "refused: $!"',
    "a user namespace of its own": 'syscall(272, 0x10000000) >= 0 or die "refused: $!"',
    "memory that can be written and run": 'syscall(9, 0, 4096, 7, 34, -1, 0) >= 0 or die "refused: $!"',
}


@pytest.fixture(scope="module", autouse=True)
def installed(machine):
    machine.apt("install ./millrace-*.deb")
    machine.until_active("millraced")


def sandbox_of(machine, unit):
    """The beginning of a unit with the sandbox of another."""
    text = machine.sh(f"systemctl cat {unit}")
    kept = [line for line in text.splitlines() if re.match(
        r"(User|Group|Protect|Private|Restrict|SystemCall|NoNew|Capab|Ambient|Lock|Memory|Device|Proc|"
        r"UMask|RemoveIPC|Inaccess|State|IPAddress)\w*=", line)]
    return "[Service]\nType=oneshot\n" + "\n".join(kept) + "\n"


@pytest.mark.parametrize("unit, what", [
    (unit, what) for unit in ("millraced", "millrace-worker@") for what in TRIES
    if unit != "millraced" or "broker's data" not in what])
def test_it_is_refused(machine, unit, what):
    machine.write("/opt/try.pl", TRIES[what] + '; print "DONE"')
    machine.write("/etc/systemd/system/try.service",
                  sandbox_of(machine, f"{unit}.service") + "ExecStart=/usr/bin/perl /opt/try.pl\n")
    machine.sh("chmod 644 /opt/try.pl; systemctl daemon-reload")
    machine.fails("systemctl start try")
    said = machine.sh("journalctl -u try -n 4 -o cat --no-pager; systemctl show -P Result -P ExecMainStatus try")
    assert "refused: " in said and "DONE" not in said
    machine.say(f"{unit}: {what}: " + re.search("refused: .*", said).group(0))


def test_a_command_of_a_worker_is_in_it(machine):
    machine.write("/opt/try.pl", TRIES["ptrace"])
    machine.write("/etc/millrace/workers/tries.env", "MILLRACE_EXEC='perl /opt/try.pl 2>&1; touch /usr/touched 2>&1; touch here && echo wrote here'\n")
    machine.sh("millrace create tries --history && systemctl start millrace-worker@tries-1")
    name = machine.sh("millrace enqueue tries x")
    machine.sh(f"millrace wait {name}")
    said = machine.sh(f"millrace job {name} --result")
    assert "refused: " in said and "Read-only file system" in said and "wrote here" in said
    machine.say("a worker's command: ptrace and a write to /usr are refused, its folder is its own")
