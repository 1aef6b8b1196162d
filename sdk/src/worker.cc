// A worker's implementation: handler threads around one queue, and a session that settles each
// delivery.
#include <millrace/worker.h>

#include "options.h"
#include "payload_encryption.h"
#include "wire/codec.h"
#include "wire/limits.h"
#include "worker_session.h"

#include <exception>
#include <map>
#include <system_error>
#include <thread>
#include <vector>

namespace millrace {
namespace {

thread_local const void* handler_of = nullptr;  // the worker whose handler this thread runs

}  // namespace

class Worker::Impl {
 public:
  explicit Impl(WorkerOptions options)
      : options_(std::move(options)),
        session_(connection_of(options_.connection, options_.shared_connection),
                 std::max(options_.concurrency, 1),
                 options_.prefetch < 0 ? std::max(options_.concurrency, 1) : options_.prefetch) {}

  // The members below look at this before they take a lock: in a child of fork() it may be held by
  // a thread that is not there.
  [[nodiscard]] bool inherited() const { return session_.inherited(); }
  [[nodiscard]] bool inside() const { return handler_of == this || session_.here(); }

  Result<void> handle(std::string topic, Handler handler) {
    if (inherited()) return tl::unexpected(made_before_fork("Worker"));
    const std::lock_guard lock(mutex_);
    auto wrong = misfit_handler(topic, handler);
    if (!wrong) {
      handlers_[std::move(topic)] = wrapped(std::move(handler));
      return {};
    }
    report(session_.settings(), LogLevel::error, wrong->message);
    if (!started_ && !wrong_) wrong_ = wrong;
    return tl::unexpected(std::move(*wrong));
  }

  Result<void> start() {
    if (inherited()) return tl::unexpected(made_before_fork("Worker"));
    const std::lock_guard lock(mutex_);
    if (started_ && !stopped_) return {};
    auto wrong = why_not();
    if (!wrong) wrong = start_threads();
    if (!wrong) return {};
    report(session_.settings(), LogLevel::error, "the Worker cannot start: " + wrong->message);
    return tl::unexpected(std::move(*wrong));
  }

  bool stop() {
    if (inherited()) return false;
    if (inside()) {
      session_.drain();
      return false;
    }
    const std::lock_guard one(stop_mutex_);
    {
      const std::lock_guard lock(mutex_);
      if (!started_ || stopped_) return settled_;
      stopped_ = true;
    }
    session_.drain();
    if (!session_.wait_idle(options_.drain)) {
      session_.stop_running(StopReason::draining);
      session_.wait_idle();
    }
    join();
    settled_ = session_.finish();
    return settled_;
  }

  bool run(std::stop_token until) {
    if (!start() || inside()) return false;
    session_.wait_end(std::move(until));
    return stop() && !session_.refused();
  }

  WorkerOptions options_;
  WorkerSession session_;

 private:
  [[nodiscard]] std::optional<Error> misfit_handler(const std::string& topic,
                                                    const Handler& handler) const {
    if (started_) {
      return invalid("handle() must be called before start(): topic '" + topic +
                     "' has no handler");
    }
    if (!wire::valid_topic(topic)) {
      return invalid(
          "'" + topic +
          "' is not a topic name: a topic name must consist of 1 to 64 characters of A-Z a-z "
          "0-9 . _ - and begin with a letter or digit");
    }
    if (!handler) return invalid("the handler of topic '" + topic + "' is an empty function");
    if (handlers_.contains(topic)) return invalid("topic '" + topic + "' already has a handler");
    return std::nullopt;
  }

  [[nodiscard]] Handler wrapped(Handler handler) const {
    for (auto at = options_.middleware.rbegin(); at != options_.middleware.rend(); ++at) {
      handler = [around = *at, next = std::move(handler)](JobContext& job) {
        return around(job, next);
      };
    }
    return handler;
  }

  [[nodiscard]] std::optional<Error> why_not() const {
    if (stopped_) return invalid("the Worker was stopped: make a new one");
    if (session_.wrong()) return session_.wrong();
    if (wrong_) return wrong_;
    if (auto wrong = misfit(options_)) return wrong;
    if (handlers_.empty()) return invalid("the Worker has no handler: call handle() first");
    if (handlers_.size() > wire::topics_max) {
      return invalid("the Worker has handlers for " + std::to_string(handlers_.size()) +
                     " topics, but at most " + std::to_string(wire::topics_max) + " are allowed");
    }
    return std::nullopt;
  }

  std::optional<Error> start_threads() {
    std::vector<std::string> topics;
    for (const auto& [topic, handler] : handlers_) topics.push_back(topic);
    started_ = true;
    try {
      const SignalsBlocked quiet;
      for (int i = 0; i < options_.concurrency; ++i) threads_.emplace_back([this] { work(); });
    } catch (const std::system_error& e) {
      join();
      stopped_ = true;
      return Error{ErrorCode::unavailable,
                   std::string("a thread for a handler could not be started: ") + e.what(),
                   {}};
    }
    auto wrong = session_.start(std::move(topics));
    if (!wrong) return std::nullopt;
    join();
    stopped_ = true;
    return wrong;
  }

  void join() {
    session_.close_queue();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

  void work() {
    handler_of = this;
    WorkerSession::Ref delivery = session_.next();
    while (delivery != nullptr) {
      HandlerResult result = run(*delivery);
      if (session_.inherited()) end_child("handler");
      delivery = session_.next(std::move(delivery), std::move(result));
    }
  }

  HandlerResult run(Delivery& delivery) {
    const auto handler = handlers_.find(delivery.job.id.topic);
    if (handler == handlers_.end()) return release();
    auto unreadable = decrypt(options_.payload_keys, options_.require_encryption, &delivery.job);
    if (unreadable) return std::move(*unreadable);
    try {
      return delivery.run(handler->second);
    } catch (const std::exception& e) {
      return retry(e.what());
    } catch (...) {
      return retry("the handler threw an exception that is not a std::exception");
    }
  }

  std::map<std::string, Handler> handlers_;  // fixed by start()
  std::mutex stop_mutex_;                    // taken first: held for as long as a stop takes
  bool settled_ = true;                      // guarded by it
  std::mutex mutex_;                         // guards what follows
  std::optional<Error> wrong_;               // the first refusal of handle()
  std::vector<std::thread> threads_;
  bool started_ = false, stopped_ = false;
};

Worker::Worker(WorkerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
// In a child of fork(): leaked on purpose, for all that it would close is the parent's too.
Worker::~Worker() {
  if (impl_->inherited()) {
    [[maybe_unused]] const Impl* const parents = impl_.release();
    return;
  }
  if (impl_->inside())
    misuse("a Worker is destroyed inside a handler of its own or a callback of its Connection");
  impl_->stop();
}

Result<void> Worker::handle(std::string topic, Handler handler) {
  return impl_->handle(std::move(topic), std::move(handler));
}
Result<void> Worker::start() { return impl_->start(); }
bool Worker::stop() { return impl_->stop(); }
bool Worker::run(std::stop_token until) { return impl_->run(std::move(until)); }

std::optional<Error> Worker::refused() const {
  return impl_->inherited() ? std::nullopt : impl_->session_.refused();
}
Worker::Counts Worker::counts() const {
  return impl_->inherited() ? Counts{} : impl_->session_.counts();
}
bool Worker::connected() const { return !impl_->inherited() && impl_->session_.connected(); }
std::chrono::steady_clock::time_point Worker::last_alive() const {
  return impl_->session_.last_turn();
}

}  // namespace millrace
