// The handlers of the paths.
#include "routes.h"

#include "batch_answer.h"
#include "job_json.h"
#include "media_types.h"
#include "paths.h"
#include "problem.h"

#include <nlohmann/json.hpp>

namespace millrace::gateway {
namespace {

using nlohmann::json;

constexpr std::size_t threads_max = 4, questions_max = 256;

http::Response not_allowed(const char* allowed) {
  http::Response answer =
      problem(405, ErrorCode::invalid, std::string("allowed methods of this path: ") + allowed);
  answer.headers.emplace_back("Allow", allowed);
  return answer;
}

ProducerOptions producer_options(const Options& options) {
  ProducerOptions settings{
      .connection = {.brokers = options.brokers, .key_file = options.key_file}};
  settings.deadline = options.timeout;
  settings.payload_keys = options.payload_keys;
  return settings;
}

}  // namespace

Routes::Routes(const Options& options, GatewayMetrics* metrics,
               const http::ServerCounters& connections)
    : metrics_(*metrics),
      connections_(connections),
      body_bytes_max_(options.body_bytes_max),
      token_check_(options.keys_dir),
      producer_(producer_options(options)),
      client_({.connection = {.brokers = options.brokers, .key_file = options.key_file},
               .timeout = options.timeout}) {
  for (std::size_t i = 0; i < threads_max; ++i) threads_.emplace_back([this] { work(); });
}

Routes::~Routes() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void Routes::handle(const http::ExchangeRef& e) {
  const Path path = read_path(e->path);
  const bool get = e->method == "GET" || e->method == "HEAD";
  switch (path.to) {
    case Path::To::health:
    case Path::To::ready:
    case Path::To::metrics:
      if (!get) return e->answer(not_allowed("GET, HEAD"));
      if (path.to == Path::To::metrics && refused(e, wire::Verb::status, {})) return;
      return e->answer(watched(path.to));
    case Path::To::topic:
      if (e->method != "POST") return e->answer(not_allowed("POST"));
      if (refused(e, wire::Verb::enqueue, path.topic)) return;
      return enqueue(e, path.topic);
    case Path::To::job:
      if (!get && e->method != "DELETE") return e->answer(not_allowed("GET, HEAD, DELETE"));
      if (!path.job) return e->answer(problem(path.job.error()));
      if (refused(e, get ? wire::Verb::job : wire::Verb::cancel, path.job->topic)) return;
      return get ? look(e, *path.job) : cancel(e, *path.job);
    case Path::To::nowhere:
      return e->answer(problem(404, ErrorCode::not_found,
                               "unknown path; the known ones are /v1/topics/TOPIC/jobs, "
                               "/v1/jobs/TOPIC/PARTITION/SEQ, /healthz, "
                               "/readyz and /metrics"));
  }
}

// True: it was answered, for its token may not do this.
bool Routes::refused(const http::ExchangeRef& exchange, wire::Verb verb, std::string_view topic) {
  auto refusal = token_check_.refuse(*exchange, verb, topic);
  if (refusal) exchange->answer(std::move(*refusal));
  return refusal.has_value();
}

// What those who watch the gateway ask.
http::Response Routes::watched(Path::To page) {
  if (page == Path::To::metrics) {
    return {200,
            "text/plain; version=0.0.4; charset=utf-8",
            metrics_page(metrics_, connections_, producer_.connected()),
            {}};
  }
  if (page == Path::To::ready) {
    if (metrics_.draining) {
      return problem(503, ErrorCode::shutting_down,
                     "this gateway is shutting down: use another one");
    }
    if (connections_.full) {
      return problem(503, ErrorCode::overloaded, "all connections of this gateway are in use");
    }
    if (!producer_.connected()) {
      return problem(503, ErrorCode::unavailable, "no broker is connected");
    }
  }
  return {200, "application/json", "{\"status\":\"ok\"}", {}};
}

void Routes::enqueue(const http::ExchangeRef& exchange, const std::string& topic) {
  if (const auto wrong = not_json(exchange->content_type)) {
    return exchange->answer(problem(415, ErrorCode::invalid, *wrong));
  }
  const auto coding = coding_of(exchange->content_encoding);
  if (!coding) {
    return exchange->answer(problem(415, ErrorCode::invalid,
                                    "unsupported Content-Encoding '" + exchange->content_encoding +
                                        "': use gzip or zstd, applied once"));
  }
  if (*coding != Coding::none) {
    auto body = unpacked(*coding, exchange->body, body_bytes_max_);
    if (!body) return exchange->answer(problem(body.error()));
    exchange->body = std::move(*body);
  }
  auto parsed = parse_jobs(exchange->body, topic);
  if (!parsed) return exchange->answer(problem(parsed.error()));
  if (auto over = token_check_.over_quota(*exchange, parsed->jobs.size())) {
    return exchange->answer(std::move(*over));
  }
  auto batch_answer =
      std::make_shared<BatchAnswer>(exchange, parsed->jobs.size(), parsed->array, &metrics_);
  for (std::size_t i = 0; i < parsed->jobs.size(); ++i) {
    const bool taken = producer_.try_enqueue_async(
        std::move(parsed->jobs[i]),
        [batch_answer, i](const Enqueued& outcome) { batch_answer->add(i, outcome); });
    if (taken) continue;
    batch_answer->add(
        i, {Outcome::rejected,
            {},
            {ErrorCode::overloaded,
             "too many requests wait for the broker at this gateway: the jobs were not sent",
             {}}});
  }
}

void Routes::look(const http::ExchangeRef& exchange, const JobId& id) {
  ask(exchange, [this, id] {
    const auto view = client_.job(id);
    if (!view) return problem(view.error());
    return http::Response{200, "application/json", json_text(*view), {}};
  });
}

void Routes::cancel(const http::ExchangeRef& exchange, const JobId& id) {
  ask(exchange, [this, id] {
    const auto state = client_.cancel(id);
    if (!state) return problem(state.error());
    const json body{{"id", id.str()}, {"state", to_string(*state)}};
    return http::Response{200, "application/json", body.dump(), {}};
  });
}

void Routes::ask(const http::ExchangeRef& exchange, std::function<http::Response()> question) {
  {
    const std::lock_guard lock(mutex_);
    if (questions_.size() < questions_max) {
      questions_.emplace_back(exchange, std::move(question));
      changed_.notify_one();
      return;
    }
  }
  exchange->answer(
      problem(503, ErrorCode::overloaded, "too many requests wait for the broker at this gateway"));
}

void Routes::work() {
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || !questions_.empty(); });
    if (questions_.empty()) return;
    auto [exchange, question] = std::move(questions_.front());
    questions_.pop_front();
    lock.unlock();
    exchange->answer(question());
  }
}

}  // namespace millrace::gateway
