#include "access/key.h"

#include "access/key_text.h"
#include "wire/codec.h"

#include <algorithm>
#include <array>
#include <initializer_list>

namespace millrace::access {
namespace {

using wire::Permission;

struct RoleRow {
  Role role;
  std::string_view name;
  std::initializer_list<Permission> gives;
};
const std::array<RoleRow, 5>& roles() {
  static const std::array<RoleRow, 5> all{{
      {Role::produce, "produce", {Permission::produce}},
      {Role::work, "work", {Permission::work}},
      {Role::look, "look", {Permission::look}},
      {Role::operate, "operate", {Permission::look, Permission::operate}},
      {Role::admin,
       "admin",
       {Permission::produce, Permission::work, Permission::look, Permission::operate,
        Permission::admin}},
  }};
  return all;
}

bool gives(Role role, Permission permission) {
  const RoleRow& row = roles()[static_cast<std::size_t>(role)];
  return std::find(row.gives.begin(), row.gives.end(), permission) != row.gives.end();
}

bool letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool name_character(char c) { return letter_or_digit(c) || c == '.' || c == '_' || c == '-'; }

// Without recursion: a star that was passed takes one more character where the rest does not fit.
bool fits(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, taken = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++taken;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

std::string_view role_name(Role role) { return roles()[static_cast<std::size_t>(role)].name; }

std::string role_names() {
  std::string all;
  for (const RoleRow& row : roles()) all += (all.empty() ? "" : ", ") + std::string(row.name);
  return all;
}

const Role* parse_role(std::string_view text) {
  for (const RoleRow& row : roles()) {
    if (row.name == text) return &row.role;
  }
  return nullptr;
}

bool valid_key_name(std::string_view name) {
  return !name.empty() && name.size() <= key_name_bytes_max && letter_or_digit(name.front()) &&
         std::all_of(name.begin(), name.end(), name_character);
}

bool valid_pattern(std::string_view pattern) {
  return !pattern.empty() && pattern.size() <= wire::topic_bytes_max &&
         std::all_of(pattern.begin(), pattern.end(),
                     [](char c) { return c == '*' || name_character(c); });
}

bool allows(const Key& key, Permission permission) {
  if (permission == Permission::any) return true;
  return std::any_of(key.may.begin(), key.may.end(),
                     [permission](Role role) { return gives(role, permission); });
}

bool covers(const Key& key, std::string_view topic) {
  return std::any_of(key.topics.begin(), key.topics.end(),
                     [topic](const std::string& pattern) { return fits(pattern, topic); });
}

bool covers_all(const Key& key) {
  return std::find(key.topics.begin(), key.topics.end(), "*") != key.topics.end();
}

bool same_rights(const Key& one, const Key& other) {
  return one.name == other.name && one.may == other.may && one.topics == other.topics;
}

std::string why_invalid(const Key& key, std::int64_t now_wall_ms) {
  if (key.revoked_ms != 0) {
    return "the key " + key.name + " was revoked at " + time_text(key.revoked_ms);
  }
  if (key.expires_ms == 0 || now_wall_ms < key.expires_ms) return {};
  return "the key " + key.name + " expired at " + time_text(key.expires_ms) +
         " (the broker's clock says " + time_text(now_wall_ms) +
         "): make a new one with millrace keys new, or correct the clock";
}

std::string lacks_permission(const Key& key, wire::Verb verb, Permission permission) {
  std::string needed;
  for (const RoleRow& row : roles()) {
    if (!gives(row.role, permission)) continue;
    needed += (needed.empty() ? "" : " or ") + std::string(row.name);
  }
  return "the key " + key.name + " may not " +
         std::string(wire::verb_name(static_cast<std::uint64_t>(verb))) + ": that needs the role " +
         needed;
}

std::string lacks_topic(const Key& key, std::string_view topic) {
  return "the key " + key.name + " has no access to the topic " + std::string(topic) +
         ": its topics are listed in its file at the broker";
}

}  // namespace millrace::access
