// The network between simulated clients and the broker, as ZeroMQ presents it: whole messages over
// connections; a connection that breaks loses the messages in flight, and the next message goes
// over a new connection, whose peer is unknown to the broker. A request or its answer may vanish,
// come twice, late or out of order; a message that nobody answers (DELIVER, CREDIT, REVOKE) is lost
// only with its connection, as with TCP.
#pragma once

#include "recorder.h"

#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::testing {

struct Letter {
  std::string peer;
  std::size_t client = 0;
  std::string header, body;
};

// What the network does to messages now.
struct Weather {
  std::uint64_t drop = 0, duplicate = 0, reorder = 0;  // of a thousand
  std::int64_t delay_ms = 0;                           // at most
};

class Network {
 public:
  Network(std::uint64_t seed, std::size_t clients, Recorder& recorder);

  Weather weather;
  std::vector<std::int64_t> unreachable_until_ms;  // by client

  // A client gives up its connection and makes a new one.
  void reconnect(std::size_t client);
  // A connection breaks. Unnoticed: for the broker it still exists.
  void reset(std::size_t client, bool unnoticed);
  // The broker's process is gone, and every connection with it.
  void broker_gone();

  void send_up(std::size_t client, std::string header, std::string body);
  // False: no such peer.
  bool send_down(const std::string& peer, std::string_view header, std::string_view body);

  // Connections whose end the broker noticed since the last call.
  [[nodiscard]] std::vector<std::string> ended() { return std::exchange(ended_, {}); }

  // What has arrived.
  [[nodiscard]] bool next_up(Letter& letter);
  [[nodiscard]] bool next_down(std::size_t client, Letter& letter);

 private:
  struct Link {
    std::size_t client = 0;
    bool current = true;                  // the client's
    bool known = true;                    // the broker can send to it
    std::int64_t up_ms = 0, down_ms = 0;  // of the last arrival
  };
  using Flights = std::multimap<std::int64_t, Letter>;  // by arrival

  [[nodiscard]] bool chance(std::uint64_t of_thousand) { return random_() % 1'000 < of_thousand; }
  [[nodiscard]] std::int64_t arrival(std::int64_t& last_ms, bool may_overtake);
  void lose(Flights& flights, const std::string& peer, std::uint64_t of_thousand);
  void fly(Flights& flights, Letter&& letter, std::int64_t& last_ms, std::uint64_t verb);
  Link& current(std::size_t client);
  void end(const std::string& peer, bool noticed);

  std::mt19937_64 random_;
  Recorder& recorder_;
  std::map<std::string, Link> links_;  // by peer
  std::vector<std::string> ended_;     // peers, for ended()
  std::vector<std::string> peers_;  // the current one, by client; empty: the next message makes it
  std::uint64_t made_ = 0;
  Flights up_;
  std::vector<Flights> down_;  // by client
};

}  // namespace millrace::testing
