// Ids that clients choose (of sessions, producers and requests) belong to the key that sent them:
// the broker uses a hash of the key's name and the id in place of the id, so that nobody can take
// over the session or the answers of another key, whatever ids it knows.
// Threads: pure function.
#pragma once

#include "wire/messages.h"

#include <string_view>

namespace millrace::access {

[[nodiscard]] wire::Id bound_id(std::string_view key_name, const wire::Id& id);

}  // namespace millrace::access
