#include "access/bearer.h"

#include "wire/codec.h"

#include <strings.h>

namespace millrace::access {
namespace {

auto unauthorized(std::string what) {
  return tl::unexpected(Error{ErrorCode::unauthorized, std::move(what), {}});
}

}  // namespace

Result<KeyRef> bearer_key(const KeyRing& keys, std::string_view authorization,
                          std::int64_t now_wall_ms) {
  constexpr std::string_view scheme = "Bearer ";
  const bool bearer = authorization.size() > scheme.size() &&
                      ::strncasecmp(authorization.data(), scheme.data(), scheme.size()) == 0;
  if (!bearer) {
    return unauthorized(
        "a token is needed: send the header Authorization: Bearer TOKEN, with a token that "
        "millrace keys new NAME --token made");
  }
  authorization.remove_prefix(scheme.size());
  const auto key = keys.by_token(authorization.substr(authorization.find_first_not_of(' ')));
  if (key == nullptr) return unauthorized("this token is unknown here");
  if (auto why = why_invalid(*key, now_wall_ms); !why.empty()) return unauthorized(std::move(why));
  return key;
}

Result<void> check_access(const Key& key, wire::Verb verb, std::string_view topic) {
  const auto permission = wire::verb_permission(verb);
  std::string lacks;
  if (!allows(key, permission)) {
    lacks = lacks_permission(key, verb, permission);
  } else if (!topic.empty() && !covers(key, topic)) {
    lacks = lacks_topic(key, topic);
  }
  if (lacks.empty()) return {};
  return tl::unexpected(Error{ErrorCode::forbidden, std::move(lacks), {}});
}

}  // namespace millrace::access
