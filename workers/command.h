// A handler that runs a command for each job.
//
// Payload: on stdin, or as a file named by MILLRACE_PAYLOAD_FILE. About the job: MILLRACE_JOB,
// _TOPIC, _PARTITION, _SEQ, _KEY, _HEADERS, _ATTEMPT, _MAX_ATTEMPTS, _ENQUEUED_MS.
// Exit 0: done, with the first 64 KiB of stdout as the result. 75: retry. 65: discard. Else:
// retry. The tail of stderr is the error. Killed by a signal that the worker did not send: a crash.
// A stop (cancel, lost lease, limit, end of drain) is SIGTERM to the group, SIGKILL after
// term_grace.
#pragma once

#include <millrace/worker.h>

#include <chrono>
#include <string>

namespace millrace::workers {

struct CommandOptions {
  std::string command;
  bool payload_file = false;
  std::chrono::milliseconds run_max{0};  // beside the topic's own limit; 0: none
  std::chrono::milliseconds term_grace{5'000};
};

[[nodiscard]] HandlerResult run_command(const CommandOptions& options, JobContext& job);

}  // namespace millrace::workers
