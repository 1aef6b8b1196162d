#include "access/bound_id.h"

#include <nettle/sha2.h>
#include <algorithm>
#include <array>

namespace millrace::access {

wire::Id bound_id(std::string_view key_name, const wire::Id& id) {
  // The id has a fixed length and stands first, so no other pair gives the same bytes.
  sha256_ctx context;
  sha256_init(&context);
  sha256_update(&context, id.size(), id.data());
  sha256_update(&context, key_name.size(), reinterpret_cast<const std::uint8_t*>(key_name.data()));
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
  sha256_digest(&context, digest.size(), digest.data());
  wire::Id bound{};
  std::copy_n(digest.begin(), bound.size(), bound.begin());
  return bound;
}

}  // namespace millrace::access
