// A job in the messages of the protocol and in the core: what producers send, workers get and
// people see of it, each made here alone.
#pragma once

#include "core/command.h"
#include "core/effect.h"
#include "wire/messages.h"

#include <string_view>

namespace millrace::net {

[[nodiscard]] core::NewJob new_job(const wire::NewJob& sent, core::Now now);

// The texts of what follows point into the job that it is made of.
[[nodiscard]] wire::DeliveredJob delivered_job(const core::Delivered& job, std::int64_t run_ms_max);
// What its row has. Payload, state, times of runs and what only a running job has are the caller's.
[[nodiscard]] wire::JobView job_view(const core::Job& job, std::string_view topic);

}  // namespace millrace::net
