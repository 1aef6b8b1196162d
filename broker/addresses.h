// Validates the addresses of the settings: whether the broker can listen on each of them, and
// whether two of them, with the addresses of the shards that are derived from them, are the same.
#pragma once

#include <cstdint>
#include <string>

namespace millrace {

// Empty if a broker with this number of shards can listen on the address, else an error sentence.
// keys: connections to it need a key, so it may be one that other machines reach.
[[nodiscard]] std::string wrong_address(const std::string& address, std::uint32_t shards,
                                        bool keys);

// The same for an address that clients are told to connect to: tcp://HOST:PORT, HOST by name or
// number.
[[nodiscard]] std::string wrong_advertised(const std::string& address, std::uint32_t shards);

// tcp://0.0.0.0:PORT, tcp://[::]:PORT, tcp://*:PORT
[[nodiscard]] bool means_all_addresses(const std::string& address);

// The canonical form of a valid address for one shard: links and doubled slashes of a path are
// resolved, localhost is a number.
[[nodiscard]] std::string place_of(const std::string& address, std::uint32_t shard);

// The folder of the socket of an ipc address; empty for another address.
[[nodiscard]] std::string socket_folder(const std::string& address);

}  // namespace millrace
