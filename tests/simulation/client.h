// A simulated client that follows docs/protocol.md: HELLO first, a timeout, then a new connection
// and a resend when there is no answer. Its kinds: producer.h, worker.h, hostile_client.h.
#pragma once

#include "network.h"
#include "plan.h"
#include "recorder.h"

#include "wire/messages.h"

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>

namespace millrace::testing {

// What a client has of its world.
struct Surroundings {
  const Plan& plan;
  Network& network;
  Recorder& recorder;
  std::int64_t wall_ms = 0;
  bool faults_over = false;
};

class Client {
 public:
  Client(Surroundings& around, std::size_t index, const std::string& name);
  virtual ~Client() = default;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Takes what has arrived and does what is due; nothing while it is paused.
  void step();
  void pause_until(std::int64_t ms) { paused_until_ms_ = ms; }
  // Its process is killed; another one starts after a while.
  void kill();
  [[nodiscard]] const wire::Id& session() const { return session_; }
  [[nodiscard]] virtual bool idle() const = 0;

 protected:
  virtual wire::Role role() const = 0;
  virtual void say_hello() = 0;  // by hello()
  virtual void welcomed(const wire::HelloOk& answer) = 0;
  virtual void answered(std::uint64_t correlation, std::string_view body) = 0;
  virtual void refused(std::uint64_t correlation, std::string_view code) = 0;
  virtual void told(wire::Verb verb, std::string_view body) = 0;
  virtual void act() = 0;     // once it has been welcomed
  virtual void forget() = 0;  // its process ended
  [[nodiscard]] virtual std::int64_t patience_ms() const { return 300; }

  // A request, whose answer is waited for.
  std::uint64_t ask(wire::Verb verb, std::string body);
  void tell(wire::Verb verb, std::string body);
  void hello(const wire::Hello& message);
  // A new connection, and HELLO.
  void start_over();
  void new_session();
  [[nodiscard]] std::uint64_t draw(std::uint64_t least, std::uint64_t most) {
    return least + random_() % (most - least + 1);
  }
  [[nodiscard]] std::int64_t draw_ms(std::int64_t least, std::int64_t most) {
    return static_cast<std::int64_t>(
        draw(static_cast<std::uint64_t>(least), static_cast<std::uint64_t>(most)));
  }
  [[nodiscard]] bool percent(std::uint64_t chance) { return random_() % 100 < chance; }
  [[nodiscard]] std::int64_t now_ms() const { return around_.recorder.now_ms(); }
  [[nodiscard]] std::string process() const { return name_ + "." + std::to_string(life_); }

  Surroundings& around_;
  std::size_t index_;
  std::string name_;
  std::uint64_t life_ = 1;  // processes so far
  bool welcome_ = false;

 private:
  void take(const Letter& letter);

  std::mt19937_64 random_;
  wire::Id session_{};
  std::uint64_t correlation_ = 0, hello_ = 0;
  std::map<std::uint64_t, std::int64_t> open_;  // requests: sent at
  std::int64_t paused_until_ms_ = 0, dead_until_ms_ = 0, beat_ms_ = 0;
  bool begun_ = false;
};

// Who neither sends nor runs jobs: nothing of the world waits for it. By itself a client.
class Bystander : public Client {
 public:
  using Client::Client;
  [[nodiscard]] bool idle() const override { return true; }

 protected:
  [[nodiscard]] wire::Role role() const override { return wire::Role::client; }
  void say_hello() override;
  void welcomed(const wire::HelloOk&) override {}
  void told(wire::Verb, std::string_view) override {}
};

}  // namespace millrace::testing
