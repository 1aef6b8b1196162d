#include "network.h"

#include "wire/codec.h"

#include <algorithm>

namespace millrace::testing {
namespace {

using wire::Verb;

constexpr std::uint64_t half = 500;

Verb verb_of(const std::string& header) {
  const auto decoded = wire::decode_header(header);
  return decoded ? static_cast<Verb>(decoded->verb) : Verb::heartbeat;
}

// A client waits for an answer, and will notice that it does not come.
bool is_missed(Verb verb) {
  return verb != Verb::deliver && verb != Verb::credit && verb != Verb::revoke &&
         verb != Verb::closing;
}

// What a new connection begins with comes once and in its order.
bool keeps_order(Verb verb) {
  return verb == Verb::hello || verb == Verb::subscribe || verb == Verb::credit ||
         verb == Verb::deliver || verb == Verb::revoke || verb == Verb::closing ||
         verb == Verb::goodbye;
}

}  // namespace

Network::Network(std::uint64_t seed, std::size_t clients, Recorder& recorder)
    : unreachable_until_ms(clients),
      random_(seed),
      recorder_(recorder),
      peers_(clients),
      down_(clients) {}

Network::Link& Network::current(std::size_t client) {
  if (peers_[client].empty()) {
    peers_[client] = "c" + std::to_string(client) + "." + std::to_string(++made_);
    links_[peers_[client]].client = client;
  }
  return links_.at(peers_[client]);
}

void Network::lose(Flights& flights, const std::string& peer, std::uint64_t of_thousand) {
  for (auto at = flights.begin(); at != flights.end();) {
    const bool lost = at->second.peer == peer && chance(of_thousand);
    at = lost ? flights.erase(at) : std::next(at);
  }
}

void Network::reconnect(std::size_t client) {
  if (peers_[client].empty()) return;
  // What was sent may still arrive; what comes back finds nobody.
  end(peers_[client], !chance(half));
  down_[client].clear();
  peers_[client].clear();
}

void Network::end(const std::string& peer, bool noticed) {
  Link& link = links_.at(peer);
  link.current = false;
  link.known = !noticed;
  if (noticed) ended_.push_back(peer);
}

void Network::reset(std::size_t client, bool unnoticed) {
  if (peers_[client].empty()) return;
  recorder_.note("reset", peers_[client]);
  lose(up_, peers_[client], half);
  down_[client].clear();
  end(peers_[client], !unnoticed);
  peers_[client].clear();
}

void Network::broker_gone() {
  for (auto& [peer, link] : links_) {
    link.current = link.known = false;
    lose(up_, peer, half);
  }
  // What it had answered may arrive: else an answer before its commit would never be seen. A
  // delivery does not: the checker takes a worker's history in the order of its reading.
  for (auto& flights : down_) {
    const bool lost = chance(half);
    std::erase_if(flights, [lost](const auto& flight) {
      return lost || verb_of(flight.second.header) == Verb::deliver;
    });
  }
  for (auto& peer : peers_) peer.clear();
  ended_.clear();
  // What waits at a client goes over its next connection.
  for (auto& [at, letter] : up_) {
    current(letter.client);
    letter.peer = peers_[letter.client];
  }
}

std::int64_t Network::arrival(std::int64_t& last_ms, bool may_overtake) {
  const std::int64_t now_ms = recorder_.now_ms();
  std::int64_t at = now_ms + static_cast<std::int64_t>(random_() % 3);
  if (weather.delay_ms > 0) {
    at += static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(weather.delay_ms + 1));
  }
  if (may_overtake && chance(weather.reorder))
    return at + static_cast<std::int64_t>(random_() % 60);
  last_ms = std::max(last_ms, at);
  return last_ms;
}

void Network::fly(Flights& flights, Letter&& letter, std::int64_t& last_ms, std::uint64_t verb) {
  const bool loose = !keeps_order(static_cast<Verb>(verb));
  const bool twice = loose ? chance(weather.duplicate)
                           : static_cast<Verb>(verb) == Verb::deliver && chance(weather.duplicate);
  if (twice) flights.emplace(arrival(last_ms, loose), letter);
  flights.emplace(arrival(last_ms, loose), std::move(letter));
}

void Network::send_up(std::size_t client, std::string header, std::string body) {
  const Verb verb = verb_of(header);
  Link& link = current(client);
  recorder_.note("up", wire::verb_name(static_cast<std::uint64_t>(verb)), client);
  if (chance(weather.drop)) {
    recorder_.note("lost", peers_[client]);
    if (!is_missed(verb)) reset(client, chance(half));
    return;
  }
  fly(up_, {peers_[client], client, std::move(header), std::move(body)}, link.up_ms,
      static_cast<std::uint64_t>(verb));
}

bool Network::send_down(const std::string& peer, std::string_view header, std::string_view body) {
  const auto found = links_.find(peer);
  if (found == links_.end() || !found->second.known) return false;
  Link& link = found->second;
  if (unreachable_until_ms[link.client] > recorder_.now_ms()) return false;
  Letter letter{peer, link.client, std::string(header), std::string(body)};
  const Verb verb = verb_of(letter.header);
  recorder_.note("down", wire::verb_name(static_cast<std::uint64_t>(verb)), link.client);
  if (!link.current) return true;  // nobody is there any more
  if (chance(weather.drop)) {
    recorder_.note("lost", peer);
    if (!is_missed(verb)) reset(link.client, true);
    return true;
  }
  fly(down_[link.client], std::move(letter), link.down_ms, static_cast<std::uint64_t>(verb));
  return true;
}

bool Network::next_up(Letter& letter) {
  if (up_.empty() || up_.begin()->first > recorder_.now_ms()) return false;
  letter = std::move(up_.begin()->second);
  up_.erase(up_.begin());
  return true;
}

bool Network::next_down(std::size_t client, Letter& letter) {
  Flights& flights = down_[client];
  if (flights.empty() || flights.begin()->first > recorder_.now_ms()) return false;
  letter = std::move(flights.begin()->second);
  flights.erase(flights.begin());
  return true;
}

}  // namespace millrace::testing
