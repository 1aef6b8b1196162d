// A job in the messages of the protocol and in the core: what producers send, workers get and
// people see of it, each made here alone.
#pragma once

#include "core/command.h"
#include "core/effect.h"
#include "wire/messages.h"

#include <cstdint>
#include <string_view>

namespace millrace::net {

// A time as the wire has it, which knows no negative ones.
[[nodiscard]] constexpr std::uint64_t unsigned_ms(std::int64_t ms) {
  return ms < 0 ? 0 : static_cast<std::uint64_t>(ms);
}

[[nodiscard]] core::NewJob new_job(const wire::NewJob& sent, core::Now now);

// The texts of what follows point into the job that it is made of.
[[nodiscard]] wire::DeliveredJob delivered_job(const core::Delivered& job, std::int64_t run_ms_max);
// What its row has. Payload, state, times of runs and what only a running job has are the caller's.
[[nodiscard]] wire::JobView job_view(const core::Job& job, std::string_view topic);

}  // namespace millrace::net
