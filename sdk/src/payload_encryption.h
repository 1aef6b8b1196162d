// Payloads in and out of their encryption: of jobs to enqueue, of deliveries and of views.
// Threads: pure functions.
#pragma once

#include "job_messages.h"

#include <millrace/encryption.h>
#include <millrace/worker.h>

#include <optional>

namespace millrace {

// In place, for a job that is valid as it stands; nothing: it is encrypted. After an error the job
// is as it was, or its headers have one more.
[[nodiscard]] std::optional<Error> encrypt(const PayloadKeys& keys, Job* job);

// In place: what the application enqueued. An outcome: the job must not be given to a handler.
[[nodiscard]] std::optional<HandlerResult> decrypt(const PayloadKeys& keys, bool required,
                                                   DeliveredJob* job);

// The payload in place, or none and payload_error, and encryption_key.
void decrypt(const PayloadKeys& keys, JobView* view);

}  // namespace millrace
