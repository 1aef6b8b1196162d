// Fuzzing: any line of `millrace enqueue --jsonl` gives a job or an error sentence.
#include "job_line.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string line(reinterpret_cast<const char*>(data), size);
  millrace::cli::Options options;
  options.topic = "t";
  const auto job = millrace::cli::job_of_line(options, line);
  if (!job && job.error().message.empty()) std::abort();
  return 0;
}
