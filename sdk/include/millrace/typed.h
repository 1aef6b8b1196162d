// Typed payloads: plain structs with MSGPACK_DEFINE_MAP, packed as msgpack.
// The only public header that needs msgpack-c; include it only where payloads are typed.
#pragma once

#ifndef MSGPACK_NO_BOOST
#define MSGPACK_NO_BOOST
#endif
#include <millrace/job.h>
#include <millrace/worker.h>

#include <exception>
#include <msgpack.hpp>
#include <string>
#include <type_traits>
#include <utility>

namespace millrace {

// The payload that a handler of typed<T>() reads.
template <typename T>
[[nodiscard]] std::string to_payload(const T& value) {
  msgpack::sbuffer buffer;
  msgpack::pack(buffer, value);
  return {buffer.data(), buffer.size()};
}

// A handler of T, from a function of (const T&) or (const T&, JobContext&): a job whose payload is
// not a T is discarded to the dead-letter queue with the reason, because a retry cannot succeed.
template <typename T, typename Fn>
[[nodiscard]] Handler typed(Fn fn) {
  return [fn = std::move(fn)](JobContext& job) -> HandlerResult {
    T value;
    try {
      const msgpack::unpack_limit limit(65'536, 65'536, 1U << 20, 1U << 20, 1U << 20, 32);
      const auto bytes = job.payload();
      msgpack::unpack(bytes.data(), bytes.size(), nullptr, nullptr, limit).get().convert(value);
    } catch (const std::exception& e) {
      return discard(std::string("the payload does not match the type of this handler: ") +
                     e.what());
    }
    if constexpr (std::is_invocable_v<const Fn&, const T&>) {
      return fn(value);
    } else {
      return fn(value, job);
    }
  };
}

}  // namespace millrace
