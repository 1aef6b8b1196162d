#include "examples.h"

#include <map>

namespace millrace::cli {

std::string_view examples_of(std::string_view command) {
  static const std::map<std::string_view, std::string_view> examples{
      {"enqueue",
       "  millrace enqueue greetings hello\n"
       "  millrace enqueue reports --delay 1h30m --key customer-7 < report.json\n"
       "  millrace enqueue reports --run-at 2030-01-31T12:00:00+01:00 '{\"month\": 1}'\n"
       "  millrace enqueue reports --jsonl jobs.jsonl\n"},
      {"topics", "  millrace topics\n  millrace topics greetings --json\n"},
      {"jobs",
       "  millrace jobs\n"
       "  millrace jobs greetings --state available --limit 10\n"
       "  millrace jobs greetings --after greetings/0/1 --json\n"},
      {"job", "  millrace job greetings/0/1\n  millrace job greetings/0/1 --payload > payload\n"},
      {"explain", "  millrace explain greetings/0/1\n"},
      {"wait", "  millrace wait greetings/0/1 --for 2m\n"},
      {"top", "  millrace top --interval 500ms\n  millrace top --once --json\n"},
      {"status", "  millrace status\n"},
      {"sessions", "  millrace sessions\n"},
      {"completion",
       "  source <(millrace completion bash)\n"
       "  millrace completion zsh > _millrace\n"
       "  millrace completion fish > millrace.fish\n"},
      {"create",
       "  millrace create invoices --partitions 4 --max-attempts 5 --history\n"
       "  millrace create letters --run-max 5m --backoff-min 1s --backoff-max 1h\n"},
      {"pause", "  millrace pause greetings\n"},
      {"resume", "  millrace resume greetings\n"},
      {"cancel", "  millrace cancel greetings/0/1\n"},
      {"dead list", "  millrace dead list\n  millrace dead list greetings --limit 10\n"},
      {"dead show", "  millrace dead show greetings/0/1\n"},
      {"dead requeue",
       "  millrace dead requeue greetings/0/1\n  millrace dead requeue greetings --all\n"},
      {"dead purge",
       "  millrace dead purge greetings/0/1 --yes\n  millrace dead purge greetings --all --yes\n"},
      {"backup", "  millrace backup before-upgrade\n  millrace backup --keep 7\n"},
      {"verify", "  millrace verify /var/lib/millrace-backup/before-upgrade\n"},
      {"restore",
       "  millrace restore /var/lib/millrace-backup/before-upgrade --data-dir /var/lib/millrace "
       "--replace\n"},
  };
  const auto found = examples.find(command);
  return found == examples.end() ? std::string_view{} : found->second;
}

}  // namespace millrace::cli
