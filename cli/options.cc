// The grammar of the command line; the only file that includes CLI11.
#include "options.h"

#include <CLI/CLI.hpp>

namespace millrace::cli {
namespace {

using Span = std::chrono::milliseconds;

Span span_of(const std::string& text) {
  std::size_t end = 0;
  long long value = -1;
  try {
    value = std::stoll(text, &end);
  } catch (const std::exception&) {
    end = 0;
  }
  const std::string unit = text.substr(end);
  const bool fits = end > 0 && value >= 0 && value <= 1'000'000'000;
  if (fits && unit == "ms") return Span(value);
  if (fits && (unit.empty() || unit == "s")) return std::chrono::seconds(value);
  if (fits && unit == "m") return std::chrono::minutes(value);
  if (fits && unit == "h") return std::chrono::hours(value);
  if (fits && unit == "d") return std::chrono::hours(24 * value);
  throw CLI::ValidationError("a time is a number with ms, s, m, h or d, such as 30s, not '" + text +
                             "'");
}

void add_span(CLI::App* app, const char* flag, Span* to, const char* help) {
  app->add_option_function<std::string>(
         flag, [to](const std::string& text) { *to = span_of(text); }, help)
      ->type_name("TIME");
}
void add_span(CLI::App* app, const char* flag, std::optional<Span>* to, const char* help) {
  app->add_option_function<std::string>(
         flag, [to](const std::string& text) { *to = span_of(text); }, help)
      ->type_name("TIME");
}

class Grammar {
 public:
  explicit Grammar(Options* options) : o_(*options) {
    app.require_subcommand(1);
    app.fallthrough();
    app.add_option("--broker", o_.brokers,
                   "where millraced listens, ipc://PATH or tcp://HOST:PORT; may repeat "
                   "(MILLRACE_BROKER, or ipc:///run/millrace/millrace.sock)");
    app.add_flag("--json", o_.json, "JSON: one object, or one a line for lists");
    add_span(&app, "--timeout", &o_.timeout, "patience with the broker (10s)");
    app.set_version_flag("--version", "millrace " MILLRACE_VERSION);
    app.footer(
        "exit codes: 0 done, 1 refused, 2 not found, 3 waited in vain or outcome unknown,\n"
        "4 the job that was waited for ended dead or cancelled, 64 usage, 69 no broker;\n"
        "verify and restore: 0 sound or done, 1 damaged, 2 nothing is there, 3 the folder is not\n"
        "free, 71 no millraced to run, 74 the disk refused");
    enqueue();
    look();
    manage();
    dead();
    backups();
  }
  CLI::App app{"Millrace from the command line: enqueue jobs, look at them, manage them.",
               "millrace"};

 private:
  CLI::App* command(CLI::App* parent, const char* name, const char* help,
                    const std::string& full = {}) {
    CLI::App* sub = parent->add_subcommand(name, help);
    sub->callback([this, name = full.empty() ? std::string(name) : full] { o_.command = name; });
    return sub;
  }
  CLI::App* with_ids(CLI::App* sub) {
    sub->add_option("ID", o_.words, "a job, TOPIC/PARTITION/SEQ")->required();
    return sub;
  }

  void enqueue() {
    CLI::App* sub = command(&app, "enqueue", "enqueue jobs, print their ids");
    sub->add_option("TOPIC", o_.topic)->required();
    sub->add_option("PAYLOAD", o_.words, "one job each; none or -: one job of all of stdin");
    sub->add_option("--jsonl", o_.jsonl,
                    "a file (- for stdin) with a JSON object a line: payload, key, priority, "
                    "delay_ms, max_attempts");
    sub->add_option("--key", o_.key, "jobs of one key share a partition");
    sub->add_option("--priority", o_.priority, "0 (first) to 9; default 5");
    sub->add_option("--max-attempts", o_.max_attempts);
    add_span(sub, "--delay", &o_.delay, "not before this time has passed");
    sub->add_option("--run-at", o_.run_at, "not before 2030-01-31T12:00:00Z (UTC)");
  }

  void look() {
    command(&app, "topics", "topics, their depth and totals")->add_option("TOPIC", o_.topic);
    CLI::App* jobs = command(&app, "jobs", "list jobs");
    jobs->add_option("--topic", o_.topic);
    jobs->add_option("--state", o_.state,
                     "scheduled, available, running, retryable, completed, "
                     "cancelled or dead");
    jobs->add_option("--limit", o_.limit)->check(CLI::Range(1, 256));
    jobs->add_option("--after", o_.after, "go on after this job");
    CLI::App* job = command(&app, "job", "one job with its payload");
    job->add_option("ID", o_.words)->required()->expected(1);
    job->add_flag("--full", o_.full, "the whole payload");
    with_ids(command(&app, "explain", "why a job is not running now"));
    CLI::App* wait = with_ids(command(&app, "wait", "until jobs are final"));
    add_span(wait, "--for", &o_.wait, "how long (60s)");
    CLI::App* top = command(&app, "top", "a live view; q or Ctrl-C ends it");
    top->add_flag("--once", o_.once, "print it once");
    add_span(top, "--interval", &o_.interval, "between two looks (1s)");
    command(&app, "status", "the broker's shards");
    command(&app, "sessions", "who is connected");
    command(&app, "completion", "a completion script: source <(millrace completion bash)")
        ->add_option("SHELL", o_.topic)
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  }

  void manage() {
    CLI::App* create = command(&app, "create", "make a topic");
    create->add_option("TOPIC", o_.topic)->required();
    create->add_option("--partitions", o_.partitions, "1 to 256; default 8");
    create->add_option("--max-attempts", o_.max_attempts, "default 25");
    create->add_flag("--history", o_.history, "keep completed jobs for a day");
    add_span(create, "--run-max", &o_.run_max, "a handler that runs longer is stopped");
    add_span(create, "--backoff-min", &o_.backoff_min, "the first wait; doubles");
    add_span(create, "--backoff-max", &o_.backoff_max, "the longest wait");
    for (const auto& [name, help] :
         {std::pair{"pause", "deliver nothing of a topic"}, std::pair{"resume", "deliver again"}}) {
      command(&app, name, help)->add_option("TOPIC", o_.topic)->required();
    }
    with_ids(command(&app, "cancel", "jobs that have not ended"));
  }

  void dead() {
    CLI::App* queue = app.add_subcommand("dead", "the dead-letter queue");
    queue->require_subcommand(1);
    CLI::App* list = command(queue, "list", "dead jobs and why", "dead list");
    list->add_option("TOPIC", o_.topic);
    list->add_option("--limit", o_.limit)->check(CLI::Range(1, 256));
    list->add_option("--after", o_.after);
    CLI::App* show = command(queue, "show", "one, with payload and error", "dead show");
    show->add_option("ID", o_.words)->required()->expected(1);
    show->add_flag("--full", o_.full);
    for (const auto& [name, help, full] :
         {std::tuple{"requeue", "make them available again", "dead requeue"},
          std::tuple{"purge", "delete them for good", "dead purge"}}) {
      CLI::App* sub = command(queue, name, help, full);
      sub->add_option("TOPIC-or-ID", o_.words, "job ids, or a topic with --all")->required();
      sub->add_flag("--all", o_.all, "every dead job of the topic");
      sub->add_flag("--yes", o_.yes, "do not ask");
    }
  }

  void backups() {
    CLI::App* backup = command(&app, "backup", "back up every shard of a running broker");
    backup->add_option("NAME", o_.topic,
                       "of its folder in the broker's backup_dir; default auto-TIME (UTC)");
    backup
        ->add_option("--keep", o_.keep,
                     "then remove older ones of its series (the name up to its last -) but so many")
        ->check(CLI::Range(1, 10'000));
    backup->add_flag("--detach", o_.detach, "do not wait until it is done");
    CLI::App* verify =
        command(&app, "verify", "whether a backup, a data folder or a shard's file is sound");
    verify->add_option("PATH", o_.path)->required();
    CLI::App* restore =
        command(&app, "restore", "fill a data folder from a backup; no broker may run on it");
    restore->add_option("BACKUP", o_.path, "the folder of one")->required();
    restore->add_option("--data-dir", o_.data_dir, "the folder to fill")->required();
    restore->add_flag("--replace", o_.replace, "set aside the broker's files that lie there");
  }

  Options& o_;
};

}  // namespace

Options read_options(int count, char** arguments) {
  Options options;
  Grammar grammar(&options);
  try {
    grammar.app.parse(count, arguments);
  } catch (const CLI::ParseError& e) {
    const int code = grammar.app.exit(e);
    std::exit(code == 0 ? exit_ok : exit_usage);
  }
  return options;
}

}  // namespace millrace::cli
