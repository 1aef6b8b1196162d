// The addresses that the settings name: whether each can be listened on, and whether two of them,
// or what they become for the shards, are one.
#pragma once

#include <cstdint>
#include <string>

namespace millrace {

// Empty when a broker of so many shards can listen there, else a sentence.
[[nodiscard]] std::string wrong_address(const std::string& address, std::uint32_t shards);

// One spelling for each place, of an address that is not wrong, for one shard: links and doubled
// slashes of a path resolved, localhost as its number.
[[nodiscard]] std::string place_of(const std::string& address, std::uint32_t shard);

// The folder in which the socket of an ipc address stands; empty for another address.
[[nodiscard]] std::string socket_folder(const std::string& address);

}  // namespace millrace
