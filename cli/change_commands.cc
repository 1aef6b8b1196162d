// The commands that change something: topics, jobs, the dead-letter queue.
#include "commands.h"
#include "output.h"

#include <unistd.h>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

namespace millrace::cli {
namespace {

int say_flag(const Options& options, const Result<bool>& result, const char* name,
             const std::string& yes, const std::string& no) {
  if (!result) return fail(options, result.error());
  if (options.json) {
    print_json({{"topic", options.topic}, {name, *result}});
  } else {
    print((*result ? yes : no) + "\n");
  }
  return exit_ok;
}

// Job ids, or one topic with --all; exits with 64 when it is neither.
DeadSelection selection_of(const Options& options) {
  if (!options.all) return {.ids = ids_of(options)};
  if (options.words.size() != 1 || options.words.front().find('/') != std::string::npos) {
    std::fputs("millrace: --all needs exactly one topic\n", stderr);
    std::exit(exit_usage);
  }
  return {.topic = options.words.front(), .all = true};
}

int say_count(const Options& options, const Result<std::uint64_t>& count, const char* what) {
  if (!count) return fail(options, count.error());
  if (options.json) {
    print_json({{"count", *count}});
  } else {
    print(std::string(what) + " " + std::to_string(*count) + "\n");
  }
  return exit_ok;
}

int create(const Options& options, Client& client) {
  TopicSettings settings;
  settings.partitions = options.partitions;
  settings.max_attempts = options.max_attempts;
  settings.run_max = options.run_max;
  settings.backoff_min = options.backoff_min;
  settings.backoff_max = options.backoff_max;
  if (options.history) settings.history = true;
  return say_flag(options, client.create_topic(options.topic, settings), "created",
                  "created the topic " + options.topic,
                  "the topic " + options.topic + " exists already, with these settings");
}

int pause(const Options& options, Client& client) {
  return say_flag(options, client.pause(options.topic), "changed", options.topic + " is paused",
                  options.topic + " was already paused");
}

int resume(const Options& options, Client& client) {
  return say_flag(options, client.resume(options.topic), "changed", options.topic + " is resumed",
                  options.topic + " was not paused");
}

int cancel(const Options& options, Client& client) {
  int code = exit_ok;
  for (const JobId& id : ids_of(options)) {
    const auto state = client.cancel(id);
    if (!state) {
      code = fail(options, state.error());
    } else if (options.json) {
      print_json({{"job", id.str()}, {"state", to_string(*state)}});
    } else {
      print(id.str() + " " + std::string(to_string(*state)) + "\n");
    }
  }
  return code;
}

int dead_list(const Options& options, Client& client) {
  Options dead = options;
  dead.state = "dead";
  return jobs(dead, client);
}

int dead_requeue(const Options& options, Client& client) {
  return say_count(options, client.requeue_dead(selection_of(options)), "requeued");
}

int dead_purge(const Options& options, Client& client) {
  const DeadSelection which = selection_of(options);
  if (!options.yes) {
    if (::isatty(0) == 0) {
      std::fputs(
          "millrace: purge deletes jobs permanently, and stdin is not a terminal to ask for "
          "confirmation: add --yes\n",
          stderr);
      return exit_usage;
    }
    std::fputs("delete these jobs permanently? [y/N] ", stderr);
    std::string answer;
    std::getline(std::cin, answer);
    if (answer != "y" && answer != "yes") return exit_refused;
  }
  return say_count(options, client.purge_dead(which), "purged");
}

}  // namespace

std::vector<Command> manage_commands() {
  using Count = Argument::Count;
  return {
      {.name = "create",
       .help = "create a topic",
       .arguments = {topic_argument("name of the new topic")},
       .options = {number_option("--partitions", &Options::partitions, 1, 256,
                                 "number of partitions, 1 to 256; default 8"),
                   number_option("--max-attempts", &Options::max_attempts, 1, 1'000,
                                 "attempts before a job is dead; default 25"),
                   flag("--history", &Options::history, "keep completed jobs for 24 hours"),
                   duration_option("--run-max", &Options::run_max,
                                   "run-time limit: a handler that runs longer is stopped"),
                   duration_option("--backoff-min", &Options::backoff_min,
                                   "delay before the first retry; doubles with each attempt"),
                   duration_option("--backoff-max", &Options::backoff_max,
                                   "maximum delay before a retry")},
       .examples = "  millrace create invoices --partitions 4 --max-attempts 5 --history\n"
                   "  millrace create letters --run-max 5m --backoff-min 1s --backoff-max 1h\n",
       .run = create},
      {.name = "pause",
       .help = "stop delivering jobs of a topic",
       .arguments = {topic_argument("which")},
       .examples = "  millrace pause greetings\n",
       .run = pause},
      {.name = "resume",
       .help = "deliver jobs of a paused topic again",
       .arguments = {topic_argument("which")},
       .examples = "  millrace resume greetings\n",
       .run = resume},
      {.name = "cancel",
       .help = "cancel jobs that have not ended",
       .arguments = {id_argument(Count::several)},
       .examples = "  millrace cancel greetings/0/1\n",
       .run = cancel},
      {.name = "dead", .help = "dead-letter queue: list, show, requeue or purge its jobs"},
      {.name = "dead list",
       .help = "list dead jobs and their errors",
       .arguments = {topic_argument("show only jobs of this topic", Count::optional)},
       .options = page_options(),
       .examples = "  millrace dead list\n  millrace dead list greetings --limit 10\n",
       .run = dead_list},
      {.name = "dead show",
       .help = "show one dead job with payload and error",
       .arguments = {id_argument(Count::one)},
       .options = job_options(),
       .examples = "  millrace dead show greetings/0/1\n",
       .run = job,
       .contradiction = job_contradiction,
       .decrypts = true},
      {.name = "dead requeue",
       .help = "requeue dead jobs: make them available again",
       .arguments = {words_argument("TOPIC-or-ID", "ids of jobs, or one topic with --all",
                                    Count::several)},
       .options = {flag("--all", &Options::all, "all dead jobs of the topic")},
       .examples = "  millrace dead requeue greetings/0/1\n"
                   "  millrace dead requeue greetings --all\n",
       .run = dead_requeue},
      {.name = "dead purge",
       .help = "delete dead jobs permanently",
       .arguments = {words_argument("TOPIC-or-ID", "ids of jobs, or one topic with --all",
                                    Count::several)},
       .options = {flag("--all", &Options::all, "all dead jobs of the topic"),
                   flag("--yes", &Options::yes, "do not ask for confirmation")},
       .examples = "  millrace dead purge greetings/0/1 --yes\n"
                   "  millrace dead purge greetings --all --yes\n",
       .run = dead_purge},
  };
}

}  // namespace millrace::cli
