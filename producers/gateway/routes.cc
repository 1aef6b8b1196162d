// What each path does.
#include "routes.h"

#include "job_json.h"
#include "paths.h"
#include "problem.h"

#include <atomic>
#include <nlohmann/json.hpp>

namespace millrace::gateway {
namespace {

using nlohmann::json;

constexpr std::size_t threads_max = 4, questions_max = 256;

// The outcomes of one request's jobs, gathered on the producer's thread.
struct Gathering {
  Gathering(ExchangeRef e, std::size_t jobs, bool a)
      : exchange(std::move(e)), outcomes(jobs), left(jobs), array(a) {}
  void add(std::size_t i, const Enqueued& outcome) {
    outcomes[i] = outcome;
    if (--left == 0) exchange->answer(answer());
  }
  [[nodiscard]] Answer answer() const {
    json ids = json::array();
    const Enqueued* failed = nullptr;
    for (const Enqueued& outcome : outcomes) {
      const bool stored = outcome.outcome == Outcome::stored;
      ids.push_back(stored ? json(outcome.id.str()) : json(nullptr));
      if (!stored && failed == nullptr) failed = &outcome;
    }
    if (failed == nullptr) {
      Answer created{201, "application/json", {}, {}};
      created.body = (array ? json{{"ids", ids}} : json{{"id", ids[0]}}).dump();
      if (!array) created.headers.emplace_back("Location", "/v1/jobs/" + outcomes[0].id.str());
      return created;
    }
    Answer refused = problem(failed->error);
    if (array) {  // null: not stored, or not known to be
      json body = json::parse(refused.body);
      body["ids"] = ids;
      refused.body = body.dump();
    }
    return refused;
  }
  ExchangeRef exchange;
  std::vector<Enqueued> outcomes;
  std::atomic<std::size_t> left;
  const bool array;
};

Answer not_allowed(const char* allowed) {
  Answer answer = problem(405, ErrorCode::invalid, std::string("this path takes ") + allowed);
  answer.headers.emplace_back("Allow", allowed);
  return answer;
}

bool is_json(const std::string& type) {
  return type.empty() || type.substr(0, type.find(';')) == "application/json";
}

ProducerOptions producer_options(const Options& options) {
  ProducerOptions settings{.connection = {.brokers = options.brokers}};
  settings.deadline = options.timeout;
  return settings;
}

}  // namespace

Routes::Routes(const Options& options)
    : producer_(producer_options(options)),
      client_({.connection = {.brokers = options.brokers}, .timeout = options.timeout}) {
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

void Routes::handle(const ExchangeRef& e) {
  const Path path = read_path(e->path);
  const bool get = e->method == "GET" || e->method == "HEAD";
  switch (path.to) {
    case Path::To::health:
    case Path::To::ready:
      if (!get) return e->answer(not_allowed("GET"));
      if (path.to == Path::To::ready && !producer_.connected()) {
        return e->answer(problem(503, ErrorCode::unavailable, "no broker is connected"));
      }
      return e->answer({200, "application/json", "{\"status\":\"ok\"}", {}});
    case Path::To::topic:
      if (e->method != "POST") return e->answer(not_allowed("POST"));
      if (!is_json(e->content_type)) {
        return e->answer(problem(415, ErrorCode::invalid, "send application/json"));
      }
      return enqueue(e, path.topic);
    case Path::To::job:
      if (!get && e->method != "DELETE") return e->answer(not_allowed("GET, DELETE"));
      if (!path.job) return e->answer(problem(path.job.error()));
      return get ? look(e, *path.job) : cancel(e, *path.job);
    case Path::To::nowhere:
      return e->answer(
          problem(404, ErrorCode::not_found,
                  "there are /v1/topics/TOPIC/jobs, /v1/jobs/TOPIC/PARTITION/SEQ, /healthz and "
                  "/readyz"));
  }
}

void Routes::enqueue(const ExchangeRef& exchange, const std::string& topic) {
  auto parsed = parse_jobs(exchange->body, topic);
  if (!parsed) return exchange->answer(problem(parsed.error()));
  auto gathering = std::make_shared<Gathering>(exchange, parsed->jobs.size(), parsed->array);
  for (std::size_t i = 0; i < parsed->jobs.size(); ++i) {
    const bool taken = producer_.try_enqueue_async(
        std::move(parsed->jobs[i]),
        [gathering, i](const Enqueued& outcome) { gathering->add(i, outcome); });
    if (taken) continue;
    gathering->add(
        i,
        {Outcome::rejected,
         {},
         {ErrorCode::overloaded, "too much is unanswered at this gateway: nothing was sent", {}}});
  }
}

void Routes::look(const ExchangeRef& exchange, const JobId& id) {
  ask(exchange, [this, id] {
    const auto view = client_.job(id);
    if (!view) return problem(view.error());
    return Answer{200, "application/json", json_text(*view), {}};
  });
}

void Routes::cancel(const ExchangeRef& exchange, const JobId& id) {
  ask(exchange, [this, id] {
    const auto state = client_.cancel(id);
    if (!state) return problem(state.error());
    const json body{{"id", id.str()}, {"state", to_string(*state)}};
    return Answer{200, "application/json", body.dump(), {}};
  });
}

void Routes::ask(const ExchangeRef& exchange, std::function<Answer()> question) {
  {
    const std::lock_guard lock(mutex_);
    if (questions_.size() < questions_max) {
      questions_.emplace_back(exchange, std::move(question));
      changed_.notify_one();
      return;
    }
  }
  exchange->answer(problem(503, ErrorCode::overloaded, "too many questions wait at this gateway"));
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
