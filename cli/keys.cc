// The commands of keys: they write and read files on the broker's machine, and need no broker. The
// broker sees a change within a second.
#include "commands.h"
#include "output.h"

#include "access/broker_key.h"
#include "access/key_file.h"
#include "access/key_ring.h"
#include "access/secret_file.h"

#include <sys/stat.h>
#include <unistd.h>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace millrace::cli {
namespace {

using namespace std::chrono;
using access::Key;

constexpr unsigned public_mode = 0644;
constexpr const char* dir_help =
    "folder with broker.key and the folder keys (default /etc/millrace)";

struct Files {
  explicit Files(const Options& options) : folder(options.keys_dir) {}
  [[nodiscard]] std::string broker_key() const { return folder + "/broker.key"; }
  [[nodiscard]] std::string next_broker_key() const { return folder + "/broker.key.next"; }
  [[nodiscard]] std::string old_broker_key() const { return folder + "/broker.key.old"; }
  [[nodiscard]] std::string keys() const { return folder + "/keys"; }
  [[nodiscard]] std::string key(const std::string& name) const {
    return keys() + "/" + name + ".toml";
  }
  std::string folder;
};

std::int64_t now_ms() {
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

bool exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

Error refusal(std::string what) { return {ErrorCode::invalid, std::move(what), {}}; }

Error in_folder(const Files& files, const std::error_code& error) {
  return refusal("cannot make the folder " + files.keys() + ": " + error.message());
}

int init_keys(const Options& options) {
  const Files files(options);
  std::error_code error;
  std::filesystem::create_directories(files.keys(), error);
  if (error) return fail(options, in_folder(files, error));
  const auto keys = access::new_key_pair();
  const auto written =
      access::write_new_secret_file(files.broker_key(), access::write_broker_key(keys));
  if (!written) return fail(options, written.error());
  if (options.json) {
    print_json({{"broker_key_file", files.broker_key()},
                {"keys_dir", files.keys()},
                {"public_key", keys.public_key}});
    return exit_ok;
  }
  print("made the broker's key, " + files.broker_key() + " (public key " + keys.public_key +
        ")\n\nAdd to the broker's settings, and restart it:\n\n  [access]\n  keys_dir = \"" +
        files.keys() + "\"\n  broker_key_file = \"" + files.broker_key() +
        "\"\n\nThen make a key for each client: millrace keys new --help\n");
  return exit_ok;
}

// Words separated by commas, of every time that the option was given.
std::vector<std::string> words_of(const std::vector<std::string>& given) {
  std::vector<std::string> all;
  for (const auto& text : given) {
    for (std::size_t at = 0; at <= text.size();) {
      const std::size_t comma = std::min(text.find(',', at), text.size());
      if (comma > at) all.push_back(text.substr(at, comma - at));
      at = comma + 1;
    }
  }
  return all;
}

// The key without its secrets, or what is wrong with what was typed.
Result<Key> key_of(const Options& options) {
  Key key;
  key.name = options.topic;
  if (!access::valid_key_name(key.name)) {
    return tl::unexpected(
        refusal("'" + key.name +
                "' is not a name for a key: 1 to 64 characters of A-Z a-z 0-9 . _ - that begin "
                "with a letter or digit"));
  }
  for (const auto& word : words_of(options.may)) {
    const auto* const role = access::parse_role(word);
    if (role == nullptr) {
      return tl::unexpected(
          refusal("unknown role '" + word + "'; roles are " + access::role_names()));
    }
    key.may.push_back(*role);
  }
  key.topics = words_of(options.topics);
  for (const auto& pattern : key.topics) {
    if (access::valid_pattern(pattern)) continue;
    return tl::unexpected(
        refusal("'" + pattern +
                "' is not a topic pattern: 1 to 64 characters of A-Z a-z 0-9 . _ - and *, which "
                "stands for any characters"));
  }
  if (options.expires) key.expires_ms = now_ms() + options.expires->count();
  key.comment = options.comment;
  return key;
}

// What the client gets, in a file of its own.
struct Secret {
  std::string path, text;
};

Result<Secret> token_of(const Options& options, Key& key) {
  const std::string token = access::new_token();
  key.token_sha256 = access::sha256_hex(token);
  return Secret{options.out.value_or(key.name + ".token"), token + "\n"};
}

Result<Secret> key_pair_of(const Options& options, const Files& files, Key& key) {
  access::ClientKey client{key.name, access::new_key_pair(), {}, options.brokers};
  for (const auto& path : {files.broker_key(), files.next_broker_key()}) {
    if (path == files.next_broker_key() && !exists(path)) continue;
    const auto broker = access::read_broker_key(path);
    if (!broker) return tl::unexpected(broker.error());
    client.broker_public_keys.push_back(broker->public_key);
  }
  key.public_key = client.keys.public_key;
  return Secret{options.out.value_or(key.name + ".key"), access::write_client_key(client)};
}

// What the broker would refuse is not written: a comment that is no text, a date after the year
// 9999.
Result<std::string> broker_file(const Files& files, const Key& key) {
  std::string text = access::write_key(key);
  std::vector<std::string> errors;
  if (access::parse_key(files.key(key.name), text, errors)) return text;
  return tl::unexpected(refusal("the key would not be valid: " + errors.front()));
}

int make_key(const Options& options) {
  const Files files(options);
  auto key = key_of(options);
  if (!key) return misused(key.error().message);
  if (exists(files.key(key->name))) {
    return fail(options, refusal(files.key(key->name) +
                                 " exists already: choose another name, or remove it first"));
  }
  if (!exists(files.keys())) {
    return fail(options,
                refusal("the folder " + files.keys() +
                        " does not exist: run millrace keys init on the broker's machine first"));
  }
  const auto secret = options.token ? token_of(options, *key) : key_pair_of(options, files, *key);
  if (!secret) return fail(options, secret.error());
  const auto text = broker_file(files, *key);
  if (!text) return fail(options, text.error());
  // The client's file first: a key that counts and that nobody has would be the worse half.
  auto written = access::write_new_secret_file(secret->path, secret->text);
  if (written) {
    written = access::replace_file(files.key(key->name), *text, public_mode);
    if (!written) ::unlink(secret->path.c_str());
  }
  if (!written) return fail(options, written.error());
  if (options.json) {
    print_json({{"name", key->name}, {"file", files.key(key->name)}, {"secret", secret->path}});
    return exit_ok;
  }
  print("made " + files.key(key->name) + ", which the broker reads, and " + secret->path +
        ", which is secret: move it to the client, readable by its user alone\n" +
        (options.token ? "It is sent as the header Authorization: Bearer TOKEN\n"
                       : "The client uses it with MILLRACE_KEY_FILE=FILE, --key-file FILE or "
                         "ConnectionOptions.key_file\n"));
  return exit_ok;
}

std::string state_of(const Key& key) {
  if (key.revoked_ms != 0) return "revoked";
  return access::why_invalid(key, now_ms()).empty() ? "valid" : "expired";
}

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const auto& word : words) all += (all.empty() ? "" : ",") + word;
  return all;
}

std::vector<std::string> roles_of(const Key& key) {
  std::vector<std::string> names;
  for (const auto role : key.may) names.emplace_back(access::role_name(role));
  return names;
}

nlohmann::json key_json(const Key& key) {
  nlohmann::json json{{"name", key.name},
                      {"state", state_of(key)},
                      {"may", roles_of(key)},
                      {"topics", key.topics},
                      {"comment", key.comment},
                      {"public_key", key.public_key},
                      {"token", !key.token_sha256.empty()}};
  if (key.expires_ms != 0) json["expires"] = access::time_text(key.expires_ms);
  if (key.revoked_ms != 0) json["revoked"] = access::time_text(key.revoked_ms);
  return json;
}

// Says which files are no keys; the exit code.
int tell_errors(const access::KeyTable& table) {
  for (const auto& error : table.errors) std::fprintf(stderr, "millrace: %s\n", error.c_str());
  return table.errors.empty() ? exit_ok : exit_refused;
}

int list_keys(const Options& options) {
  const auto table = access::read_keys(Files(options).keys());
  Table rows({"NAME", "STATE", "MAY", "TOPICS", "EXPIRES", "COMMENT"});
  for (const auto& [name, key] : table.by_name) {
    if (options.json) {
      print_json(key_json(*key));
      continue;
    }
    rows.add({name, state_of(*key), joined(roles_of(*key)), joined(key->topics),
              key->expires_ms == 0 ? "never" : access::time_text(key->expires_ms),
              safe_text(key->comment)});
  }
  if (!options.json && !rows.empty()) print(rows.text());
  if (!options.json && rows.empty() && table.errors.empty()) print("there are no keys\n");
  return tell_errors(table);
}

// Null, and the exit code is set, where there is none.
access::KeyRef find(const Options& options, int& code) {
  const auto table = access::read_keys(Files(options).keys());
  const auto found = table.by_name.find(options.topic);
  if (found != table.by_name.end()) return found->second;
  for (const auto& error : table.errors) {
    if (error.find("/" + options.topic + ".toml") == std::string::npos) continue;
    code = fail(options, refusal(error));
    return nullptr;
  }
  code = fail(options, {ErrorCode::not_found,
                        "there is no key " + options.topic + " in " + Files(options).keys(),
                        {}});
  return nullptr;
}

int show_key(const Options& options) {
  int code = exit_ok;
  const auto key = find(options, code);
  if (!key) return code;
  if (options.json) {
    print_json(key_json(*key));
    return exit_ok;
  }
  const auto line = [](const char* name, const std::string& value) {
    if (!value.empty()) print(std::string(name) + value + "\n");
  };
  line("name        ", key->name);
  line("state       ", state_of(*key));
  line("may         ", joined(roles_of(*key)));
  line("topics      ", joined(key->topics));
  line("expires     ", key->expires_ms == 0 ? "never" : access::time_text(key->expires_ms));
  line("revoked     ", key->revoked_ms == 0 ? "" : access::time_text(key->revoked_ms));
  line("public key  ", key->public_key);
  line("token       ", key->token_sha256.empty() ? "" : "yes, stored as its hash");
  line("comment     ", safe_text(key->comment));
  return exit_ok;
}

int revoke_key(const Options& options) {
  int code = exit_ok;
  const auto key = find(options, code);
  if (!key) return code;
  if (key->revoked_ms == 0) {
    Key revoked = *key;
    revoked.revoked_ms = now_ms();
    const auto written = access::replace_file(Files(options).key(key->name),
                                              access::write_key(revoked), public_mode);
    if (!written) return fail(options, written.error());
  }
  if (options.json) {
    print_json({{"name", key->name}, {"changed", key->revoked_ms == 0}});
    return exit_ok;
  }
  print(key->revoked_ms == 0 ? "the key " + key->name +
                                   " is revoked: the broker ends its connections within a second\n"
                             : "the key " + key->name + " was revoked already\n");
  return exit_ok;
}

int begin_rotation(const Options& options, const Files& files) {
  const auto keys = access::new_key_pair();
  const auto written =
      access::write_new_secret_file(files.next_broker_key(), access::write_broker_key(keys));
  if (!written) return fail(options, written.error());
  if (options.json) {
    print_json({{"step", "begun"}, {"public_key", keys.public_key}});
    return exit_ok;
  }
  print("made the broker's next key, " + files.next_broker_key() +
        ". The broker still uses the one it has.\n"
        "New client files trust both. Add the next one to those that exist, in the list\n"
        "broker_public_keys:\n\n  \"" +
        keys.public_key +
        "\"\n\nWhen all clients have it, run millrace keys rotate --finish and restart the "
        "broker.\n");
  return exit_ok;
}

int finish_rotation(const Options& options, const Files& files) {
  if (!exists(files.next_broker_key())) {
    return fail(options, refusal("there is no " + files.next_broker_key() +
                                 ": run millrace keys rotate first"));
  }
  std::error_code error;
  std::filesystem::rename(files.broker_key(), files.old_broker_key(), error);
  if (!error) std::filesystem::rename(files.next_broker_key(), files.broker_key(), error);
  if (error) return fail(options, refusal("the key cannot be replaced: " + error.message()));
  if (options.json) {
    print_json({{"step", "finished"}});
    return exit_ok;
  }
  print("the broker's key is replaced: restart the broker, then remove " + files.old_broker_key() +
        "\n");
  return exit_ok;
}

int rotate_broker_key(const Options& options) {
  const Files files(options);
  return options.finish ? finish_rotation(options, files) : begin_rotation(options, files);
}

Option list_option(std::string_view name, std::string_view value,
                   std::vector<std::string> Options::*to, std::string_view help) {
  return {.name = name,
          .value = value,
          .help = help,
          .store =
              [to](Options& options, const std::string& text) {
                (options.*to).push_back(text);
                return std::string{};
              },
          .repeats = true};
}

Command make_command(Argument name, Option dir) {
  Option may = list_option("--may", "ROLES", &Options::may,
                           "what it may do: produce, work, look, operate, admin, separated by "
                           "commas");
  may.required = true;
  Option topics = list_option("--topics", "PATTERNS", &Options::topics,
                              "topics that it has access to, separated by commas; * stands for any "
                              "characters");
  topics.required = true;
  return {.name = "keys new",
          .help = "make a key for a client: a file for the broker and a secret one for the client",
          .arguments = {std::move(name)},
          .options = {std::move(may), std::move(topics),
                      duration_option("--expires", &Options::expires,
                                      "how long it counts (default: until it is revoked)"),
                      flag("--token", &Options::token,
                           "make a token for HTTP, not a key for tcp:// connections"),
                      text_option("--out", "FILE", &Options::out,
                                  "path of the client's file (default NAME.key or NAME.token)"),
                      text_option("--comment", "TEXT", &Options::comment, "a note for people"),
                      std::move(dir)},
          .examples =
              "  millrace keys new web-1 --may produce --topics 'mail.*' --expires 90d "
              "--broker tcp://broker.example:7300\n",
          .run = make_key};
}

}  // namespace

std::vector<Command> key_commands() {
  const Option dir = text_option("--dir", "FOLDER", &Options::keys_dir, dir_help);
  const Argument name = text_argument("NAME", "name of the key", &Options::topic);
  return {
      {.name = "keys", .help = "keys of clients on other machines, and of the broker"},
      {.name = "keys init",
       .help = "make the broker's key and the folder of its clients' keys",
       .options = {dir},
       .examples = "  millrace keys init\n",
       .run = init_keys},
      make_command(name, dir),
      {.name = "keys list",
       .help = "list the keys and whether they count",
       .options = {dir},
       .examples = "  millrace keys list\n",
       .run = list_keys},
      {.name = "keys show",
       .help = "show a key; secrets are never shown",
       .arguments = {name},
       .options = {dir},
       .examples = "  millrace keys show web-1\n",
       .run = show_key},
      {.name = "keys revoke",
       .help = "end a key and its connections",
       .arguments = {name},
       .options = {dir},
       .examples = "  millrace keys revoke web-1\n",
       .run = revoke_key},
      {.name = "keys rotate",
       .help = "replace the broker's key in two steps, between which clients may trust both",
       .options = {flag("--finish", &Options::finish,
                        "the second step: the next key takes the place of the broker's key"),
                   dir},
       .examples = "  millrace keys rotate\n  millrace keys rotate --finish\n",
       .run = rotate_broker_key},
  };
}

}  // namespace millrace::cli
