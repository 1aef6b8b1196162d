// RabbitMQ over AMQP: persistent messages with publisher confirms; workers with a prefetch of 512
// acknowledge in runs. Once with a durable classic queue, once with a quorum queue.
#include "peer.h"

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <sys/time.h>
#include <set>
#include <utility>

namespace millrace::bench {
namespace {

constexpr amqp_channel_t channel = 1;
constexpr std::uint16_t prefetch = 512;
constexpr std::uint64_t run = 64;  // acknowledged at once

class Session {
 public:
  explicit Session(const Options& options) : state_(amqp_new_connection()) {
    constexpr int frame_max = 131'072;
    amqp_socket_t* socket = amqp_tcp_socket_new(state_);
    if (amqp_socket_open(socket, "127.0.0.1", static_cast<int>(options.number("port"))) != 0) {
      give_up("RabbitMQ does not listen");
    }
    check(amqp_login(state_, "/", 0, frame_max, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"));
    amqp_channel_open(state_, channel);
    check(amqp_get_rpc_reply(state_));
  }
  ~Session() { amqp_destroy_connection(state_); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  [[nodiscard]] amqp_connection_state_t raw() const { return state_; }
  void check() { check(amqp_get_rpc_reply(state_)); }

 private:
  static void check(const amqp_rpc_reply_t& reply) {
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) give_up("RabbitMQ refused a call");
  }
  amqp_connection_state_t state_;
};

void declare(const Options& options, const char* type) {
  Session session(options);
  amqp_table_entry_t entry{};
  entry.key = amqp_cstring_bytes("x-queue-type");
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = amqp_cstring_bytes(type);
  amqp_queue_declare(session.raw(), channel, amqp_cstring_bytes("jobs"), 0, 1, 0, 0,
                     amqp_table_t{1, &entry});
  session.check();
}

void publish(Session& session, const std::string& payload) {
  constexpr std::uint8_t persistent = 2;
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
  properties.delivery_mode = persistent;
  const amqp_bytes_t body{payload.size(), const_cast<char*>(payload.data())};
  if (amqp_basic_publish(session.raw(), channel, amqp_empty_bytes, amqp_cstring_bytes("jobs"), 0, 0,
                         &properties, body) != AMQP_STATUS_OK) {
    give_up("RabbitMQ took no message");
  }
}

// How many jobs are confirmed now that were not so before.
class Confirms {
 public:
  std::uint64_t wait(Session& session) {
    const std::uint64_t before = confirmed();
    while (confirmed() == before) {
      amqp_frame_t frame{};
      timeval wait{60, 0};
      amqp_maybe_release_buffers(session.raw());
      if (amqp_simple_wait_frame_noblock(session.raw(), &frame, &wait) != AMQP_STATUS_OK) {
        give_up("RabbitMQ did not confirm");
      }
      if (frame.frame_type != AMQP_FRAME_METHOD) continue;
      if (frame.payload.method.id != AMQP_BASIC_ACK_METHOD) give_up("RabbitMQ refused a message");
      const auto* ack = static_cast<const amqp_basic_ack_t*>(frame.payload.method.decoded);
      if (ack->multiple != 0) {
        all_up_to_ = std::max(all_up_to_, ack->delivery_tag);
      } else {
        beyond_.insert(ack->delivery_tag);
      }
      while (!beyond_.empty() && *beyond_.begin() <= all_up_to_ + 1) {
        all_up_to_ = std::max(all_up_to_, *beyond_.begin());
        beyond_.erase(beyond_.begin());
      }
    }
    return confirmed() - before;
  }

 private:
  // Those of single messages may come out of order.
  [[nodiscard]] std::uint64_t confirmed() const { return all_up_to_ + beyond_.size(); }
  std::uint64_t all_up_to_ = 0;
  std::set<std::uint64_t> beyond_;
};

void produce(const Options& options, Tally& tally) {
  Session session(options);
  amqp_confirm_select(session.raw(), channel);
  session.check();
  const std::string payload(options.number("payload", 256), 'p');
  Confirms confirms;
  tally.begin();
  keep_window(
      options,
      [&](std::uint64_t) {
        publish(session, payload);
        return 1U;
      },
      [&] { return confirms.wait(session); });
}

void work(const Options& options, Tally& tally) {
  Session session(options);
  amqp_basic_qos(session.raw(), channel, 0, prefetch, 0);
  session.check();
  amqp_basic_consume(session.raw(), channel, amqp_cstring_bytes("jobs"), amqp_empty_bytes, 0, 0, 0,
                     amqp_empty_table);
  session.check();
  say_ready();
  std::uint64_t last = 0, open = 0;
  const auto acknowledge = [&] {
    if (open == 0) return;
    amqp_basic_ack(session.raw(), channel, last, 1);
    tally.add(std::exchange(open, 0));
  };
  while (!tally.finished()) {
    amqp_envelope_t envelope{};
    const timeval wait{0, open > 0 ? 0 : look_ms * 1'000};
    amqp_maybe_release_buffers(session.raw());
    const auto reply = amqp_consume_message(session.raw(), &envelope, &wait, 0);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
      last = envelope.delivery_tag;
      amqp_destroy_envelope(&envelope);
      if (++open >= run) acknowledge();
    } else if (reply.library_error == AMQP_STATUS_TIMEOUT) {
      acknowledge();
    } else {
      give_up("RabbitMQ has closed the connection");
    }
  }
}

}  // namespace

const Peer rabbitmq{[](const Options& options) { declare(options, "classic"); }, produce, work};
const Peer rabbitmq_quorum{[](const Options& options) { declare(options, "quorum"); }, produce,
                           work};

}  // namespace millrace::bench
