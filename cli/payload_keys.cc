// The commands of payload keys: they write and read a file, and need no broker, which must never
// have it.
#include "commands.h"
#include "output.h"

#include <millrace/encryption.h>

#include <nlohmann/json.hpp>

namespace millrace::cli {
namespace {

int written(const Options& options, const Result<std::string>& id, const std::string& next) {
  if (!id) return fail(options, id.error());
  if (options.json) {
    print_json({{"file", options.path}, {"current", *id}});
  } else {
    print(next);
  }
  return exit_ok;
}

int make_payload_keys(const Options& options) {
  const auto id = PayloadKeys::create(options.path);
  return written(options, id,
                 "made " + options.path + " with the payload key " + id.value_or("") +
                     ".\nIt is secret: copy it to producers and workers, readable by their user "
                     "alone, and to a safe place.\nWithout it the payloads are lost. Programs use "
                     "it with MILLRACE_PAYLOAD_KEYS=FILE,\n--payload-keys FILE or the option "
                     "payload_keys of the SDK.\n");
}

int rotate_payload_keys(const Options& options) {
  const auto id = PayloadKeys::rotate(options.path);
  return written(options, id,
                 "added the payload key " + id.value_or("") + " to " + options.path +
                     ", which is current now.\nCopy the file to the workers and restart them "
                     "first, then to the producers.\n");
}

}  // namespace

Option payload_keys_option() {
  return text_option("--payload-keys", "FILE", &Options::payload_keys,
                     "file of payload keys, for payloads that are encrypted (default: the "
                     "environment variable MILLRACE_PAYLOAD_KEYS, else none)");
}

std::vector<Command> payload_key_commands() {
  const Argument file = text_argument("FILE", "the file of payload keys", &Options::path);
  return {
      {.name = "payload-keys", .help = "keys with which the SDK encrypts payloads"},
      {.name = "payload-keys new",
       .help = "make a file of payload keys with one key",
       .arguments = {file},
       .examples = "  millrace payload-keys new mail.payload-keys\n",
       .run = make_payload_keys},
      {.name = "payload-keys rotate",
       .help = "add a new current key to a file of payload keys; the earlier ones still decrypt",
       .arguments = {file},
       .examples = "  millrace payload-keys rotate mail.payload-keys\n",
       .run = rotate_payload_keys},
  };
}

}  // namespace millrace::cli
