// Every bound of the protocol, in one place (docs/protocol.md, Transport and frames).
#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace::wire {

inline constexpr std::uint8_t protocol_version = 1;

inline constexpr std::size_t parts_max = 2;
inline constexpr std::size_t frame_bytes_max = 8U << 20;
inline constexpr std::size_t header_bytes_max = 64;
inline constexpr std::size_t nesting_max = 8;
inline constexpr std::size_t elements_max = 65'536;

inline constexpr std::size_t batch_max = 1'024;  // jobs, deliveries or outcomes in one message
inline constexpr std::size_t payload_bytes_max = 1U << 20;
inline constexpr std::size_t result_bytes_max = 64U << 10;
inline constexpr std::size_t job_headers_bytes_max = 1'024;  // as they are on the wire
inline constexpr std::size_t job_headers_max = 32;
inline constexpr std::size_t topic_bytes_max = 64;
inline constexpr std::size_t key_bytes_max = 128;
inline constexpr std::size_t name_bytes_max = 128;
inline constexpr std::size_t note_bytes_max = 256;
inline constexpr std::size_t error_bytes_max = 4'096;
inline constexpr std::size_t id_bytes = 16;       // session and producer ids
inline constexpr std::size_t topics_max = 1'024;  // named in one message
inline constexpr std::size_t listed_max = 256;    // job views in one answer
inline constexpr std::size_t partitions_max = 256;
inline constexpr std::uint64_t credit_max = 8'192;
inline constexpr std::size_t batches_open_max = 64;  // of one producer at one shard
inline constexpr std::uint64_t wait_ms_max = 60'000;
// How long after it was first sent a request that changes something may be sent again: a broker
// remembers its answer for at least so long.
inline constexpr std::uint64_t resend_ms_max = 60'000;
inline constexpr std::uint64_t backups_kept_max = 10'000;
inline constexpr int priority_max = 9;
inline constexpr int priority_default = 5;
inline constexpr std::uint64_t attempts_max_max = 1'000;

}  // namespace millrace::wire
