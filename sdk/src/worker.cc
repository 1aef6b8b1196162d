// A worker's life: handler threads around one queue, and a session that says what became of each
// delivery.
#include <millrace/worker.h>

#include "worker_session.h"

#include <exception>
#include <map>
#include <thread>
#include <vector>

namespace millrace {

class Worker::Impl {
 public:
  explicit Impl(WorkerOptions options)
      : options_(std::move(options)),
        session_(options_.connection, std::max(options_.concurrency, 1),
                 options_.prefetch < 0 ? std::max(options_.concurrency, 1) : options_.prefetch) {}

  void handle(std::string topic, Handler handler) {
    handlers_[std::move(topic)] = std::move(handler);
  }

  void start() {
    if (started_) return;
    started_ = true;
    std::vector<std::string> topics;
    for (const auto& [topic, handler] : handlers_) topics.push_back(topic);
    session_.start(std::move(topics));
    for (int i = 0; i < std::max(options_.concurrency, 1); ++i) {
      threads_.emplace_back([this] { work(); });
    }
  }

  bool stop() {
    if (!started_ || stopped_) return settled_;
    stopped_ = true;
    session_.drain();
    if (!session_.wait_idle(options_.drain)) {
      session_.stop_running(StopReason::draining);
      session_.wait_idle();
    }
    session_.close_queue();
    for (auto& thread : threads_) thread.join();
    settled_ = session_.finish();
    return settled_;
  }

  WorkerOptions options_;
  WorkerSession session_;

 private:
  void work() {
    WorkerSession::Ref delivery = session_.next();
    while (delivery != nullptr) {
      HandlerResult result = run(*delivery);
      delivery = session_.next(std::move(delivery), std::move(result));
    }
  }

  HandlerResult run(Delivery& delivery) {
    const auto handler = handlers_.find(delivery.where.topic);
    if (handler == handlers_.end()) return release();
    try {
      return handler->second(delivery);
    } catch (const std::exception& e) {
      return retry(e.what());
    } catch (...) {
      return retry("the handler threw something that is no std::exception");
    }
  }

  std::map<std::string, Handler> handlers_;
  std::vector<std::thread> threads_;
  bool started_ = false, stopped_ = false, settled_ = true;
};

Worker::Worker(WorkerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Worker::~Worker() { impl_->stop(); }

void Worker::handle(std::string topic, Handler handler) {
  impl_->handle(std::move(topic), std::move(handler));
}
void Worker::start() { impl_->start(); }
bool Worker::stop() { return impl_->stop(); }

bool Worker::run(std::stop_token until) {
  start();
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait(lock, std::move(until), [] { return false; });
  return stop();
}

Worker::Counts Worker::counts() const { return impl_->session_.counts(); }
bool Worker::connected() const { return impl_->session_.connected(); }
std::chrono::steady_clock::time_point Worker::last_alive() const {
  return impl_->session_.last_turn();
}

}  // namespace millrace
