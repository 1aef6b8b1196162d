// The adapter of the C++ SDK for the conformance runner: lines of JSON on stdin are commands, lines
// on stdout are their events (docs/conformance.md).
#include <millrace/client.h>
#include <millrace/producer.h>
#include <millrace/worker.h>

#include <condition_variable>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

using millrace::Enqueued;
using millrace::HandlerResult;
using nlohmann::json;
using std::chrono::milliseconds;

void say(const char* event, json fields) {
  static std::mutex mutex;
  fields["event"] = event;
  const std::lock_guard lock(mutex);
  std::cout << fields.dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
}

milliseconds span(const json& order, const char* name) {
  return milliseconds(order.at(name).get<std::int64_t>());
}

// What every role does with its orders; stdin's end is its end.
class Role {
 public:
  virtual ~Role() = default;
  virtual void obey(const json& order) = 0;
};

class ProducerRole : public Role {
 public:
  explicit ProducerRole(const json& start)
      : producer_({.connection = {.brokers = {}, .reply_patience = span(start, "patience_ms")},
                   .deadline = span(start, "deadline_ms"),
                   .flush_at_destruction = milliseconds(0)}) {}

  void obey(const json& order) override {
    struct Answer {
      std::vector<json> outcomes;
      std::size_t left;
    };
    const json& jobs = order.at("jobs");
    const auto answer =
        std::make_shared<Answer>(Answer{std::vector<json>(jobs.size()), jobs.size()});
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      producer_.enqueue_async(job_of(order.at("topic"), jobs[i]),
                              [answer, i, id = order.at("id")](const Enqueued& outcome) {
                                answer->outcomes[i] = told(outcome);
                                if (--answer->left > 0) return;
                                say("enqueued", {{"id", id}, {"outcomes", answer->outcomes}});
                              });
    }
  }

 private:
  static millrace::Job job_of(const std::string& topic, const json& asked) {
    millrace::Job job{.topic = topic, .payload = asked.at("payload").get<std::string>()};
    job.key = asked.value("key", "");
    if (asked.contains("headers")) asked.at("headers").get_to(job.headers);
    if (asked.contains("priority")) job.priority = asked.at("priority").get<int>();
    if (asked.contains("max_attempts")) job.max_attempts = asked.at("max_attempts").get<int>();
    if (asked.contains("delay_ms")) job.delay = span(asked, "delay_ms");
    return job;
  }
  static json told(const Enqueued& outcome) {
    using millrace::Outcome;
    if (outcome.outcome == Outcome::stored) {
      return {{"outcome", "stored"}, {"job", outcome.id.str()}};
    }
    if (outcome.outcome == Outcome::unknown) return {{"outcome", "unknown"}};
    return {{"outcome", "rejected"}, {"code", millrace::to_string(outcome.error.code)}};
  }

  millrace::Producer producer_;
};

class WorkerRole : public Role {
 public:
  explicit WorkerRole(const json& start)
      : worker_({.connection = {.brokers = {}, .reply_patience = span(start, "patience_ms")},
                 .concurrency = start.at("concurrency").get<int>()}) {
    for (const auto& topic : start.at("topics")) {
      (void)worker_.handle(topic, [this](millrace::JobContext& job) { return run(job); });
    }
    (void)worker_.start();
  }
  ~WorkerRole() override {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
    if (drain_.joinable()) drain_.join();
  }

  void obey(const json& order) override {
    if (order.at("do") == "drain") {
      drain_ = std::thread([this] { say("drained", {{"clean", worker_.stop()}}); });
      return;
    }
    const std::lock_guard lock(mutex_);
    results_[order.at("job")] = result_of(order);
    changed_.notify_all();
  }

 private:
  HandlerResult run(millrace::JobContext& job) {
    const std::string name = job.id().str();
    say("job", {{"job", name},
                {"payload", job.payload()},
                {"attempt", job.attempt()},
                {"key", job.key()},
                {"headers", job.headers()}});
    const std::stop_callback stopped(job.stop(), [&] {
      say("stop", {{"job", name}, {"reason", millrace::to_string(job.stop_reason())}});
    });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_ || results_.contains(name); });
    const auto found = results_.find(name);
    if (found == results_.end()) return millrace::release();
    HandlerResult result = found->second;
    results_.erase(found);
    return result;
  }
  static HandlerResult result_of(const json& order) {
    const std::string outcome = order.at("outcome"), text = order.value("text", "");
    if (outcome == "done") return millrace::done(text);
    if (outcome == "discard") return millrace::discard(text);
    if (outcome == "release") return millrace::release();
    std::optional<milliseconds> after;
    if (order.contains("retry_after_ms")) after = span(order, "retry_after_ms");
    return millrace::retry(text, after);
  }

  std::mutex mutex_;  // guards the next three
  std::condition_variable changed_;
  std::map<std::string, HandlerResult> results_;  // of the jobs that are to end
  bool ended_ = false;
  std::thread drain_;
  millrace::Worker worker_;  // last: its handlers end first
};

class ClientRole : public Role {
 public:
  explicit ClientRole(const json& start)
      : client_({.connection = {.brokers = {}, .reply_patience = span(start, "patience_ms")},
                 .timeout = span(start, "deadline_ms")}) {}

  void obey(const json& order) override {
    json answer{{"id", order.at("id")}};
    const auto id = millrace::JobId::parse(order.at("job").get<std::string>());
    const bool cancels = order.at("do") == "cancel";
    const auto state = id.and_then([&](const millrace::JobId& job) {
      return cancels
                 ? client_.cancel(job)
                 : client_.job(job).map([](const millrace::JobView& view) { return view.state; });
    });
    if (state) answer["state"] = millrace::to_string(*state);
    if (!state) answer["error"] = millrace::to_string(state.error().code);
    say("answered", answer);
  }

 private:
  millrace::Client client_;
};

std::unique_ptr<Role> role_of(const json& start) {
  const std::string role = start.at("role");
  if (role == "producer") return std::make_unique<ProducerRole>(start);
  if (role == "worker") return std::make_unique<WorkerRole>(start);
  return std::make_unique<ClientRole>(start);
}

}  // namespace

int main() {
  std::string line;
  if (!std::getline(std::cin, line)) return 1;
  const auto role = role_of(json::parse(line));
  say("started", json::object());
  while (std::getline(std::cin, line)) role->obey(json::parse(line));
  return 0;
}
