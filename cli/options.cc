// The grammar of the command line; the only file that includes CLI11.
#include "options.h"

#include "examples.h"
#include "words.h"

#include <millrace/times.h>
#include <millrace/version.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <functional>

namespace millrace::cli {
namespace {

using Span = std::chrono::milliseconds;
using Set = std::function<void(const std::string&)>;

[[noreturn]] void refuse(const std::string& sentence) { throw CLI::ValidationError(sentence); }

// An option with a value, given once.
void add(CLI::App* app, const std::string& flag, const char* takes, const char* help,
         const Set& set) {
  app->add_option(
         flag,
         [flag, set](const CLI::results_t& values) {
           if (values.size() > 1) refuse(flag + " is given more than once");
           set(values.front());
           return true;
         },
         help)
      ->type_name(takes)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

template <typename Text>  // a string, or one that is optional
void add_text(CLI::App* app, const char* flag, const char* takes, Text* to, const char* help) {
  add(app, flag, takes, help, [to](const std::string& text) { *to = text; });
}

template <typename Number>
void add_number(CLI::App* app, const std::string& flag, Number* to, int least, int most,
                const char* help) {
  add(app, flag, "N", help, [=](const std::string& text) {
    int value = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (wrong != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
      refuse(flag + " takes a whole number from " + std::to_string(least) + " to " +
             std::to_string(most) + ", not '" + text + "'");
    }
    *to = static_cast<std::decay_t<decltype(*to)>>(value);
  });
}

template <typename SpanTo>  // a Span, or one that is optional
void add_span(CLI::App* app, const std::string& flag, SpanTo* to, const char* help) {
  add(app, flag, "DURATION", help, [=](const std::string& text) {
    const auto span = parse_duration(text);
    if (!span) refuse(flag + ": " + span.error().message);
    *to = *span;
  });
}

void add_time(CLI::App* app, const std::string& flag,
              std::optional<std::chrono::system_clock::time_point>* to, const char* help) {
  add(app, flag, "TIME", help, [=](const std::string& text) {
    const auto time = parse_time(text).and_then(to_system_clock);
    if (!time) refuse(flag + ": " + time.error().message);
    *to = *time;
  });
}

void not_empty(CLI::Option* option) {
  option->check([](const std::string& text) { return text.empty() ? "is empty" : std::string{}; });
}

class Grammar {
 public:
  explicit Grammar(Options* options) : o_(*options) {
    app.require_subcommand(1);
    app.fallthrough();
    app.add_option("--broker", o_.brokers,
                   "where millraced listens, ipc://PATH or tcp://HOST:PORT; may repeat "
                   "(MILLRACE_BROKER, or ipc:///run/millrace/millrace.sock)")
        ->type_name("ENDPOINT")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_flag("--json", o_.json, "JSON: one object, or one a line for lists");
    add_span(&app, "--timeout", &o_.timeout, "how long to wait for the broker's answers (10s)");
    app.set_version_flag("--version", "millrace " MILLRACE_VERSION);
    app.footer(
        "What a command is about comes first (a TOPIC, the ID of a job), options after it.\n"
        "A DURATION is a number with a unit: 500ms, 30s, 1h30m, 2d. A TIME is as RFC 3339 has it:\n"
        "2030-01-31T12:00:00Z, 2030-01-31T12:00:00.5+02:00. An ID is TOPIC/PARTITION/SEQ.\n"
        "millrace COMMAND --help shows examples.\n"
        "exit codes: 0 done, 1 refused, 2 not found, 3 the time ran out or the outcome is "
        "unknown,\n"
        "4 the job that was waited for ended dead or cancelled, 64 usage, 69 no broker;\n"
        "verify and restore: 0 sound or done, 1 damaged, 2 nothing is there, 3 the folder is in "
        "use\n"
        "or not empty, 71 millraced cannot be run, 74 the disk refused");
    enqueue();
    look();
    manage();
    dead();
    backups();
  }
  CLI::App app{"Millrace from the command line: enqueue jobs, look at them, manage them.",
               "millrace"};

 private:
  CLI::App* command(CLI::App* parent, const char* name, const char* help) {
    const std::string full = parent == &app ? name : parent->get_name() + " " + name;
    CLI::App* sub = parent->add_subcommand(name, help);
    sub->callback([this, full] { o_.command = full; });
    sub->footer("Examples:\n" + std::string(examples_of(full)));
    return sub;
  }
  CLI::Option* with_topic(CLI::App* sub, const char* help) {
    CLI::Option* option = sub->add_option("TOPIC", o_.topic, help)->type_name("");
    not_empty(option);
    return option;
  }
  CLI::App* with_ids(CLI::App* sub) {
    sub->add_option("ID", o_.words, "a job, TOPIC/PARTITION/SEQ")->type_name("")->required();
    return sub;
  }
  CLI::App* with_id(CLI::App* sub) {
    sub->add_option("ID", o_.words, "a job, TOPIC/PARTITION/SEQ")
        ->type_name("")
        ->required()
        ->expected(1);
    sub->add_flag("--full", o_.full, "show all of a long payload, result or error");
    sub->add_flag("--payload", o_.payload_only, "write the payload's bytes, and nothing else");
    sub->add_flag("--result", o_.result_only, "write the result's bytes, and nothing else");
    return sub;
  }
  void with_headers(CLI::App* sub) {
    sub->add_option(
           "--header",
           [this](const CLI::results_t& values) {
             for (const auto& text : values) {
               const auto at = text.find('=');
               if (at == std::string::npos || at == 0) {
                 refuse("--header takes NAME=VALUE, not '" + text + "'");
               }
               if (!o_.headers.emplace(text.substr(0, at), text.substr(at + 1)).second) {
                 refuse("--header " + text.substr(0, at) + " is given more than once");
               }
             }
             return true;
           },
           "a text for the worker, beside the payload; may repeat")
        ->type_name("NAME=VALUE")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  void with_page(CLI::App* sub) {
    add_number(sub, "--limit", &o_.limit, 1, 256, "1 to 256 jobs; default 50");
    add_text(sub, "--after", "ID", &o_.after, "go on after this job");
  }

  void enqueue() {
    CLI::App* sub = command(&app, "enqueue", "enqueue jobs, print their ids");
    with_topic(sub, "made by its first job")->required();
    sub->add_option("PAYLOAD", o_.words, "one job each; none or -: one job of all of stdin")
        ->type_name("");
    add_text(sub, "--jsonl", "FILE", &o_.jsonl,
             "a file (- for stdin) with a JSON object a line: payload (a text is its characters, "
             "any other value is stored as it stands) or payload_base64, key, priority, delay, "
             "delay_ms or run_at, max_attempts, headers (an object of texts)");
    add_text(sub, "--key", "TEXT", &o_.key, "jobs of one key share a partition");
    with_headers(sub);
    add_number(sub, "--priority", &o_.priority, 0, 9, "0 (first) to 9; default 5");
    add_number(sub, "--max-attempts", &o_.max_attempts, 1, 1'000, "default: the topic's");
    add_span(sub, "--delay", &o_.delay, "not before so long from now");
    add_time(sub, "--run-at", &o_.run_at, "not before this time");
  }

  void look() {
    with_topic(command(&app, "topics", "topics, their depth and totals"), "only this one");
    CLI::App* jobs = command(&app, "jobs", "list jobs");
    with_topic(jobs, "only its jobs");
    add_text(jobs, "--state", "STATE", &o_.state,
             "scheduled, available, running, retryable, completed, cancelled or dead");
    with_page(jobs);
    with_id(command(&app, "job", "one job with its payload"));
    with_ids(command(&app, "explain", "why a job is not running now"));
    CLI::App* wait = with_ids(command(&app, "wait", "wait until jobs are final"));
    add_span(wait, "--for", &o_.wait, "at most so long (60s)");
    CLI::App* top = command(&app, "top", "a live view; q or Ctrl-C ends it");
    top->add_flag("--once", o_.once, "print it once");
    add_span(top, "--interval", &o_.interval, "between two looks (1s)");
    command(&app, "status", "the broker's shards");
    command(&app, "sessions", "the workers that are connected");
    command(&app, "completion", "a completion script for a shell")
        ->add_option("SHELL", o_.topic, "bash, zsh or fish")
        ->type_name("")
        ->required()
        ->check([](const std::string& shell) {
          const bool known = shell == "bash" || shell == "zsh" || shell == "fish";
          return known ? "" : "bash, zsh or fish, not '" + shell + "'";
        });
  }

  void manage() {
    CLI::App* create = command(&app, "create", "make a topic");
    with_topic(create, "its name")->required();
    add_number(create, "--partitions", &o_.partitions, 1, 256, "1 to 256; default 8");
    add_number(create, "--max-attempts", &o_.max_attempts, 1, 1'000, "default 25");
    create->add_flag("--history", o_.history, "keep completed jobs for a day");
    add_span(create, "--run-max", &o_.run_max, "a handler that runs longer is stopped");
    add_span(create, "--backoff-min", &o_.backoff_min, "the first wait; doubles");
    add_span(create, "--backoff-max", &o_.backoff_max, "the longest wait");
    with_topic(command(&app, "pause", "deliver nothing of a topic"), "which")->required();
    with_topic(command(&app, "resume", "deliver again"), "which")->required();
    with_ids(command(&app, "cancel", "cancel jobs that have not ended"));
  }

  void dead() {
    CLI::App* queue =
        app.add_subcommand("dead", "the dead-letter queue: list, show, requeue, purge");
    queue->require_subcommand(1);
    queue->fallthrough();
    CLI::App* list = command(queue, "list", "dead jobs and why");
    with_topic(list, "only its jobs");
    with_page(list);
    with_id(command(queue, "show", "one, with payload and error"));
    for (const auto& [name, help] : {std::pair{"requeue", "make dead jobs available again"},
                                     std::pair{"purge", "delete dead jobs for good"}}) {
      CLI::App* sub = command(queue, name, help);
      sub->add_option("TOPIC-or-ID", o_.words, "job ids, or a topic with --all")
          ->type_name("")
          ->required();
      sub->add_flag("--all", o_.all, "every dead job of the topic");
      if (std::string_view(name) == "purge") sub->add_flag("--yes", o_.yes, "do not ask");
    }
  }

  void backups() {
    CLI::App* backup = command(&app, "backup", "back up every shard of a running broker");
    not_empty(backup
                  ->add_option("NAME", o_.topic,
                               "of its folder in the broker's backup_dir; default auto-TIME (UTC)")
                  ->type_name(""));
    add_number(
        backup, "--keep", &o_.keep, 1, 10'000,
        "then remove older ones of its series (the name up to its last -), so that N are left");
    backup->add_flag("--detach", o_.detach, "do not wait until it is done");
    command(&app, "verify", "whether a backup, a data folder or a shard's file is sound")
        ->add_option("PATH", o_.path, "of one of these")
        ->type_name("")
        ->required();
    CLI::App* restore =
        command(&app, "restore", "fill a data folder from a backup; no broker may run on it");
    restore->add_option("BACKUP", o_.path, "its folder")->type_name("")->required();
    add_text(restore, "--data-dir", "FOLDER", &o_.data_dir, "the folder to fill");
    restore->get_option("--data-dir")->required();
    restore->add_flag("--replace", o_.replace, "set aside the broker's files that lie there");
  }

  Options& o_;
};

// The deepest command that was typed.
CLI::App* typed(CLI::App* app) {
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  return app;
}

std::vector<std::string> flags_of(const CLI::App* app) {
  std::vector<std::string> all;
  for (; app != nullptr; app = app->get_parent()) {
    for (const auto* option : app->get_options()) {
      for (const auto& name : option->get_lnames()) all.push_back("--" + name);
    }
  }
  return all;
}

std::vector<std::string> commands_of(const CLI::App* app) {
  std::vector<std::string> all;
  for (const auto* sub : app->get_subcommands({})) all.push_back(sub->get_name());
  return all;
}

std::string full_name(const CLI::App* app) {
  const CLI::App* parent = app->get_parent();
  return parent == nullptr ? app->get_name() : full_name(parent) + " " + app->get_name();
}

std::string unexpected(CLI::App* at, const std::string& word) {
  if (word.starts_with("--topic")) {
    return "--topic is not an option: the topic comes after the command, as in 'millrace jobs "
           "TOPIC'";
  }
  if (word.starts_with("-")) {
    const std::string name = word.substr(0, word.find('='));
    return "unknown option '" + word + "'" + suggestion(name, flags_of(at)) +
           (word.starts_with("--") ? "" : " (a word that begins with - comes after --)");
  }
  const auto commands = commands_of(at);
  if (commands.empty()) return "unexpected argument '" + word + "'";
  return "unknown command '" + word + "'" + suggestion(word, commands);
}

// In a sentence of ours, what the parser found wrong.
std::string sentence_of(CLI::App& app, const CLI::ParseError& e) {
  CLI::App* at = typed(&app);
  const auto left = app.remaining(true);
  const std::string kind = e.get_name();
  if (e.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
    // Of a command's own extras only the sentence knows: "... not expected: WORD".
    const std::string all = e.what();
    const std::string word = all.substr(std::min(all.find(": "), all.size() - 2) + 2);
    return unexpected(at, left.empty() ? word.substr(0, word.find(' ')) : left.front());
  }
  if (kind == "RequiredError" && !left.empty()) return unexpected(at, left.front());
  if (kind == "RequiredError" && !commands_of(at).empty()) return "a command is missing";
  if (kind == "ArgumentMismatch") {
    const std::string what = e.what();
    return what.substr(0, what.find(':')) + " needs a value";
  }
  std::string what = e.what();
  if (kind == "RequiredError" && what.ends_with(" is required")) {
    what.replace(what.size() - std::string_view("required").size(), std::string::npos, "missing");
  }
  return what;
}

// Two words that say different things.
std::string contradiction(const Options& o) {
  if (o.delay && o.run_at) return "--delay and --run-at contradict each other: use one of them";
  if (o.command == "enqueue" && o.jsonl && !o.words.empty()) {
    return "--jsonl and a PAYLOAD contradict each other: use one of them";
  }
  if (o.payload_only && o.result_only) return "--payload and --result: use one of them";
  if ((o.payload_only || o.result_only) && o.json) {
    return "--json contradicts --payload and --result, which write the bytes alone";
  }
  if (o.payload_only && o.full) return "--payload writes all of it: leave out --full";
  if (o.command == "enqueue" && o.words.size() > 1 &&
      std::find(o.words.begin(), o.words.end(), "-") != o.words.end()) {
    return "- (stdin) stands alone: no other PAYLOAD beside it";
  }
  return {};
}

CommandWords words_of(const CLI::App* app, const std::string& name) {
  CommandWords words{name, app->get_description(), {}, {}};
  for (const auto* option : app->get_options()) {
    if (option->get_positional()) {
      if (words.takes.empty()) words.takes = option->get_name();
    } else if (!option->get_lnames().empty()) {
      words.flags.push_back({"--" + option->get_lnames().front(),
                             option->get_expected_max() == 0 ? "" : option->get_type_name(),
                             option->get_description()});
    }
  }
  return words;
}

}  // namespace

std::vector<CommandWords> all_commands() {
  Options unused;
  const Grammar grammar(&unused);
  std::vector<CommandWords> all{words_of(&grammar.app, "")};
  for (const auto* sub : grammar.app.get_subcommands({})) {
    const auto inner = sub->get_subcommands({});
    for (const auto* leaf : inner) {
      all.push_back(words_of(leaf, sub->get_name() + " " + leaf->get_name()));
    }
    if (inner.empty()) all.push_back(words_of(sub, sub->get_name()));
  }
  return all;
}

Options read_options(int count, char** arguments) {
  Options options;
  Grammar grammar(&options);
  std::string wrong;
  try {
    grammar.app.parse(count, arguments);
    wrong = contradiction(options);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) std::exit(grammar.app.exit(e));
    wrong = sentence_of(grammar.app, e);
  }
  if (wrong.empty()) return options;
  std::fprintf(stderr, "millrace: %s\nsee %s --help\n", wrong.c_str(),
               full_name(typed(&grammar.app)).c_str());
  std::exit(exit_usage);
}

}  // namespace millrace::cli
