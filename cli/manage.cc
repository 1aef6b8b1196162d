// The commands that change something.
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
    std::fputs("millrace: --all takes one topic\n", stderr);
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

}  // namespace

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
                  options.topic + " was paused already");
}

int resume(const Options& options, Client& client) {
  return say_flag(options, client.resume(options.topic), "changed", options.topic + " runs again",
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
      std::fputs("millrace: purge deletes for good, and nobody is there to ask: add --yes\n",
                 stderr);
      return exit_usage;
    }
    std::fputs("delete them for good? [y/N] ", stderr);
    std::string answer;
    std::getline(std::cin, answer);
    if (answer != "y" && answer != "yes") return exit_refused;
  }
  return say_count(options, client.purge_dead(which), "purged");
}

}  // namespace millrace::cli
