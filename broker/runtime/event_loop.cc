#include "runtime/event_loop.h"

#include <uv.h>

namespace millrace::runtime {

struct EventLoop::Handles {
  Callbacks callbacks;
  uv_loop_t loop{};
  uv_poll_t poll{};
  uv_check_t check{};
  uv_prepare_t prepare{};
  uv_idle_t idle{};
  uv_timer_t timer{};
  uv_async_t async{};

  static Handles& of(void* data) { return *static_cast<Handles*>(data); }
};

EventLoop::EventLoop(int fd, std::uint64_t period_ms, Callbacks callbacks)
    : handles_(std::make_unique<Handles>()) {
  Handles& h = *handles_;
  h.callbacks = std::move(callbacks);
  uv_loop_init(&h.loop);
  uv_poll_init(&h.loop, &h.poll, fd);
  uv_check_init(&h.loop, &h.check);
  uv_prepare_init(&h.loop, &h.prepare);
  uv_idle_init(&h.loop, &h.idle);
  uv_timer_init(&h.loop, &h.timer);
  uv_async_init(&h.loop, &h.async, [](uv_async_t* a) { Handles::of(a->data).callbacks.woken(); });
  h.poll.data = h.check.data = h.prepare.data = h.idle.data = h.timer.data = h.async.data = &h;
  uv_poll_start(&h.poll, UV_READABLE, [](uv_poll_t*, int, int) {});
  uv_check_start(&h.check, [](uv_check_t* c) { Handles::of(c->data).callbacks.turn(); });
  uv_prepare_start(&h.prepare, [](uv_prepare_t* p) {
    Handles& self = Handles::of(p->data);
    if (self.callbacks.more()) {
      uv_idle_start(&self.idle, [](uv_idle_t*) {});
    } else {
      uv_idle_stop(&self.idle);
    }
  });
  uv_timer_start(
      &h.timer, [](uv_timer_t* t) { Handles::of(t->data).callbacks.tick(); }, period_ms, period_ms);
}

EventLoop::~EventLoop() {
  uv_walk(
      &handles_->loop,
      [](uv_handle_t* handle, void*) {
        if (uv_is_closing(handle) == 0) uv_close(handle, nullptr);
      },
      nullptr);
  uv_run(&handles_->loop, UV_RUN_DEFAULT);
  uv_loop_close(&handles_->loop);
}

void EventLoop::run() { uv_run(&handles_->loop, UV_RUN_DEFAULT); }
void EventLoop::stop() { uv_stop(&handles_->loop); }
void EventLoop::wake() { uv_async_send(&handles_->async); }

}  // namespace millrace::runtime
