"""Clients of other machines: the broker's unit and the worker's, with tcp:// and their keys as credentials, as
docs/operations.md sets them up."""

ACCESS = """
[access]
keys_dir = "/etc/millrace/keys"
broker_key_file = "$CREDENTIALS_DIRECTORY/broker.key"
"""


def test_the_units_use_their_credentials(machine):
    machine.apt("install ./millrace-*.deb")
    machine.until_active("millraced")
    machine.sh("millrace keys init")
    machine.sh("millrace keys new worker-1 --may work --topics thumbnails --out /etc/millrace/worker-1.key"
               " --broker tcp://127.0.0.1:7300")
    settings = machine.sh("cat /etc/millrace/millraced.toml")
    settings = settings.replace('\nlisten = ["ipc:///run/millrace/millrace.sock"]', """
listen = ["ipc:///run/millrace/millrace.sock", "tcp://0.0.0.0:7300"]
advertise = ["tcp://127.0.0.1:7300"]""")
    machine.write("/etc/millrace/millraced.toml", settings + ACCESS)
    machine.write("/etc/systemd/system/millraced.service.d/network.conf",
                  "[Service]\nLoadCredential=broker.key:/etc/millrace/broker.key\n")
    machine.sh("systemctl daemon-reload && systemctl restart millraced")
    machine.until_active("millraced")
    machine.write("/etc/millrace/workers/thumbnails.env", "MILLRACE_EXEC='wc -c'\n")
    machine.write("/etc/systemd/system/millrace-worker@.service.d/network.conf",
                  "[Service]\nLoadCredential=worker.key:/etc/millrace/worker-1.key\n"
                  "Environment=MILLRACE_KEY_FILE=$CREDENTIALS_DIRECTORY/worker.key\n")
    machine.sh("systemctl daemon-reload && millrace create thumbnails --history && "
               "systemctl start millrace-worker@thumbnails-1")
    name = machine.sh("millrace enqueue thumbnails hello")
    machine.sh(f"millrace wait {name}")
    assert machine.sh(f"millrace job {name} --result").strip() == "5"
    machine.say("a worker that has its key as a credential did a job of a broker that has its own as one")
