// The query commands, which change nothing: topics, jobs, job, explain, wait, status and sessions.
#include "commands.h"
#include "output.h"
#include "suggestions.h"
#include "views.h"

#include <nlohmann/json.hpp>

namespace millrace::cli {
namespace {

constexpr std::size_t payload_shown_max = 200;

std::string number(std::uint64_t value) { return std::to_string(value); }

std::string since(JobView::Time time) {
  const auto age = std::chrono::system_clock::now() - time;
  return age_text(std::chrono::duration_cast<std::chrono::milliseconds>(age));
}

// Prints each as JSON, or all as a table.
template <typename Views, typename Row>
int list(const Options& options, const Views& views, Table table, Row row, const char* none) {
  for (const auto& view : views) {
    if (options.json) {
      print_json(json_of(view));
    } else {
      table.add(row(view));
    }
  }
  if (!options.json) print(table.empty() ? std::string(none) + "\n" : table.text());
  return exit_ok;
}

void line(const char* name, const std::string& value) {
  if (value.empty()) return;
  std::string padded = name;
  padded.resize(12, ' ');
  print(padded + value + "\n");
}

void print_job(const JobView& v, bool full) {
  const std::size_t shown = full ? 0 : payload_shown_max;
  line("job", v.id.str());
  line("state",
       std::string(to_string(v.state)) + (v.dead_reason.empty() ? "" : " (" + v.dead_reason + ")"));
  line("attempt", std::to_string(v.attempt) + " of " + std::to_string(v.max_attempts) +
                      (v.deaths > 0 ? ", deaths " + std::to_string(v.deaths) : ""));
  line("priority", std::to_string(v.priority));
  line("key", safe_text(v.key));
  for (const auto& [name, value] : v.headers) {
    line("header", safe_text(name) + (name.empty() ? "" : ": ") + safe_text(value, shown));
  }
  line("enqueued", time_text(v.enqueued_at) + " (" + since(v.enqueued_at) + " ago)");
  if (v.due_at) line("due", time_text(*v.due_at));
  if (v.started_at) line("started", time_text(*v.started_at));
  if (v.finished_at) line("finished", time_text(*v.finished_at));
  line("worker", safe_text(v.worker));
  if (v.percent) line("progress", std::to_string(*v.percent) + " % " + safe_text(v.note));
  line("error", safe_text(v.error, full ? 0 : 1'000));
  line("result", safe_text(v.result, shown));
  if (!v.encryption_key.empty()) line("encryption", "encrypted with key " + v.encryption_key);
  if (v.payload) line("payload", safe_text(*v.payload, shown));
  line("unreadable", v.payload_error);
}

int topics(const Options& options, Client& client) {
  const auto views =
      client.topics(options.topic.empty() ? std::optional<std::string>{} : options.topic);
  if (!views) return fail(options, views.error());
  Table table({"TOPIC", ">AVAILABLE", ">RUNNING", ">SCHEDULED", ">RETRYABLE", ">DEAD", ">COMPLETED",
               ">WORKERS", ">OLDEST", "STATE"});
  return list(
      options, *views, std::move(table),
      [](const TopicView& v) {
        return std::vector<std::string>{v.topic,
                                        number(v.available),
                                        number(v.running),
                                        number(v.scheduled),
                                        number(v.retryable),
                                        number(v.dead),
                                        number(v.completed),
                                        number(v.workers),
                                        v.available > 0 ? age_text(v.oldest_available) : "-",
                                        v.paused ? "paused" : "active"};
      },
      "there are no topics yet; 'millrace enqueue TOPIC PAYLOAD' creates one");
}

int explain(const Options& options, Client& client) {
  int code = exit_ok;
  for (const JobId& id : ids_of(options)) {
    const auto why = client.explain(id);
    if (!why) {
      code = fail(options, why.error());
    } else if (options.json) {
      print_json({{"job", id.str()},
                  {"state", to_string(why->state)},
                  {"reason", why->reason},
                  {"text", why->text}});
    } else {
      print(id.str() + " is " + std::string(to_string(why->state)) + " (" + why->reason +
            "): " + safe_text(why->text) + "\n");
    }
  }
  return code;
}

int wait(const Options& options, Client& client) {
  const auto until = std::chrono::steady_clock::now() + options.wait;
  int code = exit_ok;
  for (const JobId& id : ids_of(options)) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    const auto view = client.wait(id, std::max(left, std::chrono::milliseconds(0)));
    if (!view) {
      code = fail(options, view.error());
      continue;
    }
    if (options.json) {
      print_json(json_of(*view));
    } else {
      print(id.str() + " " + std::string(to_string(view->state)) + "\n");
    }
    if (!is_final(view->state)) {
      code = exit_in_vain;
    } else if (view->state != State::completed && code == exit_ok) {
      code = exit_not_done;
    }
  }
  return code;
}

int status(const Options& options, Client& client) {
  const auto views = client.status();
  if (!views) return fail(options, views.error());
  Table table({">SHARD", "VERSION", ">UP", ">WORKERS", ">CREDIT", ">COMMIT p50", ">p99", ">STORE",
               ">WAL", ">DISK FREE", "ENQUEUE", "FILE"});
  return list(
      options, *views, std::move(table),
      [](const ShardView& v) {
        return std::vector<std::string>{number(v.shard),
                                        v.version,
                                        age_text(v.uptime),
                                        number(v.workers),
                                        number(v.credit_free),
                                        number(v.commit_us_p50) + "us",
                                        number(v.commit_us_p99) + "us",
                                        bytes_text(v.store_bytes),
                                        bytes_text(v.wal_bytes),
                                        bytes_text(v.disk_free_bytes),
                                        v.accepting ? "taken" : "refused",
                                        safe_text(v.check, 60)};
      },
      "no shards");
}

int sessions(const Options& options, Client& client) {
  const auto views = client.sessions();
  if (!views) return fail(options, views.error());
  Table table({"NAME", "ROLE", ">RUNNING", ">CREDIT", ">SILENT", "TOPICS"});
  return list(
      options, *views, std::move(table),
      [](const SessionView& v) {
        std::string all;
        for (const auto& topic : v.topics) all += (all.empty() ? "" : " ") + topic;
        return std::vector<std::string>{safe_text(v.name),  v.role,
                                        number(v.running),  number(v.credit),
                                        age_text(v.silent), all};
      },
      "no worker is connected");
}

}  // namespace

int jobs(const Options& options, Client& client) {
  JobFilter filter{.limit = options.limit};
  if (!options.topic.empty()) filter.topic = options.topic;
  if (!options.state.empty()) {
    filter.state = parse_state(options.state);
    if (!filter.state) {
      const std::vector<std::string> known{"scheduled", "available", "running", "retryable",
                                           "completed", "cancelled", "dead"};
      return misused("unknown state '" + options.state + "'" + suggestion(options.state, known) +
                     "\nsee millrace jobs --help");
    }
  }
  if (!options.after.empty()) {
    Options after;
    after.words = {options.after};
    filter.after = ids_of(after).front();
  }
  const auto page = client.jobs(filter);
  if (!page) return fail(options, page.error());
  Table table({"JOB", "STATE", ">ATTEMPT", ">AGE", ">PAYLOAD", "WHY"});
  const int code = list(
      options, page->jobs, std::move(table),
      [](const JobView& v) {
        return std::vector<std::string>{v.id.str(),
                                        std::string(to_string(v.state)),
                                        std::to_string(v.attempt),
                                        since(v.enqueued_at),
                                        bytes_text(v.payload_bytes),
                                        safe_text(v.error.substr(0, v.error.find('\n')), 60)};
      },
      options.state == "dead" ? "no dead jobs" : "no jobs");
  if (page->next && !options.json) print("for more jobs add --after " + page->next->str() + "\n");
  return code;
}

int job(const Options& options, Client& client) {
  const auto view = client.job(ids_of(options).front());
  if (!view) return fail(options, view.error());
  if (options.payload_only && !view->payload_error.empty()) {
    return fail(options, {ErrorCode::invalid, view->payload_error, {}});
  }
  if (options.payload_only) {
    print(view->payload.value_or(""));
  } else if (options.result_only) {
    print(view->result);
  } else if (options.json) {
    print_json(json_of(*view));
  } else {
    print_job(*view, options.full);
  }
  return exit_ok;
}

std::string job_contradiction(const Options& options) {
  if (options.payload_only && options.result_only)
    return "--payload and --result cannot be used together";
  if ((options.payload_only || options.result_only) && options.json) {
    return "--json cannot be used together with --payload or --result, which print only bytes";
  }
  if (options.payload_only && options.full)
    return "--full cannot be used together with --payload, which never truncates";
  return {};
}

std::vector<Option> page_options() {
  return {number_option("--limit", &Options::limit, 1, 256, "number of jobs, 1 to 256; default 50"),
          text_option("--after", "ID", &Options::after, "continue a list after this job")};
}

std::vector<Option> job_options() {
  return {flag("--full", &Options::full, "do not truncate a long payload, result or error"),
          flag("--payload", &Options::payload_only, "print only the bytes of the payload"),
          flag("--result", &Options::result_only, "print only the bytes of the result"),
          payload_keys_option()};
}

std::vector<Command> look_commands() {
  using Count = Argument::Count;
  std::vector<Option> jobs_options{
      text_option("--state", "STATE", &Options::state,
                  "show only jobs in this state: scheduled, available, running, retryable, "
                  "completed, cancelled or dead")};
  for (Option& option : page_options()) jobs_options.push_back(std::move(option));
  return {
      {.name = "topics",
       .help = "list topics with their queue depth and totals",
       .arguments = {topic_argument("show only this topic", Count::optional)},
       .examples = "  millrace topics\n  millrace topics greetings --json\n",
       .run = topics},
      {.name = "jobs",
       .help = "list jobs",
       .arguments = {topic_argument("show only jobs of this topic", Count::optional)},
       .options = std::move(jobs_options),
       .examples = "  millrace jobs\n"
                   "  millrace jobs greetings --state available --limit 10\n"
                   "  millrace jobs greetings --after greetings/0/1 --json\n",
       .run = jobs},
      {.name = "job",
       .help = "show one job and its payload",
       .arguments = {id_argument(Count::one)},
       .options = job_options(),
       .examples = "  millrace job greetings/0/1\n"
                   "  millrace job greetings/0/1 --payload > payload\n",
       .run = job,
       .contradiction = job_contradiction,
       .decrypts = true},
      {.name = "explain",
       .help = "explain why a job is not running now",
       .arguments = {id_argument(Count::several)},
       .examples = "  millrace explain greetings/0/1\n",
       .run = explain},
      {.name = "wait",
       .help = "wait until jobs have ended",
       .arguments = {id_argument(Count::several)},
       .options = {duration_option("--for", &Options::wait, "maximum time to wait (default 60s)")},
       .examples = "  millrace wait greetings/0/1 --for 2m\n",
       .run = wait},
      {.name = "status",
       .help = "show the state of the broker's shards",
       .examples = "  millrace status\n",
       .run = status},
      {.name = "sessions",
       .help = "list the connected workers",
       .examples = "  millrace sessions\n",
       .run = sessions},
  };
}

}  // namespace millrace::cli
