#include "offline.h"

#include "runtime/clock.h"
#include "storage/backup/restore.h"
#include "storage/backup/verify.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {
namespace {

using Json = nlohmann::ordered_json;
using storage::RestoreEnd;

enum Exit : int {
  exit_well = 0,
  exit_damaged = 1,
  exit_not_found = 2,
  exit_not_free = 3,
  exit_usage = 64,
  exit_disk = 74,
};

struct Words {
  std::string verify, restore, data_dir;
  bool replace = false, json = false;
};

int misused(const std::string& what) {
  std::fprintf(stderr, "millraced: %s\n", what.c_str());
  return exit_usage;
}

void print_json(const Json& json) {
  std::printf("%s\n", json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
}

void say_wrongs(const std::vector<std::string>& wrongs) {
  for (const auto& wrong : wrongs) std::fprintf(stderr, "millraced: %s\n", wrong.c_str());
}

Json json_of(const storage::ShardCopy& file) {
  return {{"file", file.file},
          {"bytes", file.bytes},
          {"jobs", file.contents.jobs},
          {"finished", file.contents.finished},
          {"schema", file.contents.schema},
          {"epoch", file.contents.epoch}};
}

void print_file(const storage::ShardCopy& file) {
  std::printf("%s: %llu bytes, schema %llu, epoch %llu, %llu jobs, %llu finished jobs\n",
              file.file.c_str(), static_cast<unsigned long long>(file.bytes),
              static_cast<unsigned long long>(file.contents.schema),
              static_cast<unsigned long long>(file.contents.epoch),
              static_cast<unsigned long long>(file.contents.jobs),
              static_cast<unsigned long long>(file.contents.finished));
}

int verify(const Words& words) {
  const storage::Verdict verdict = storage::verify(words.verify);
  if (!verdict.found) {
    std::fprintf(stderr, "millraced: there is no backup, data folder or shard file at %s\n",
                 words.verify.c_str());
    return exit_not_found;
  }
  if (words.json) {
    Json files = Json::array();
    for (const auto& file : verdict.files) files.push_back(json_of(file));
    print_json({{"path", words.verify},
                {"sound", verdict.sound()},
                {"backup", verdict.manifest.has_value()},
                {"wrongs", verdict.wrongs},
                {"files", std::move(files)}});
  } else {
    for (const auto& file : verdict.files) print_file(file);
  }
  say_wrongs(verdict.wrongs);
  if (!verdict.sound()) return exit_damaged;
  if (!words.json) std::printf("%s: no damage found\n", words.verify.c_str());
  return exit_well;
}

int code_of(RestoreEnd end) {
  switch (end) {
    case RestoreEnd::done: return exit_well;
    case RestoreEnd::damaged: return exit_damaged;
    case RestoreEnd::not_found: return exit_not_found;
    case RestoreEnd::not_free: return exit_not_free;
    case RestoreEnd::disk: return exit_disk;
  }
  return exit_disk;
}

void print_restored(const Words& words, const storage::Restored& restored) {
  for (const auto& shard : restored.manifest.shards) {
    const std::uint64_t epoch = shard.contents.epoch + storage::epoch_gap + 1;
    std::printf("%s: %llu jobs, %llu finished jobs, epoch %llu and up\n", shard.file.c_str(),
                static_cast<unsigned long long>(shard.contents.jobs),
                static_cast<unsigned long long>(shard.contents.finished),
                static_cast<unsigned long long>(epoch));
  }
  if (!restored.replaced.empty()) {
    std::printf("the previous files were moved to %s\n", restored.replaced.c_str());
  }
  std::printf("restored %s into %s; new job ids continue after a gap of %llu\n",
              restored.manifest.name.c_str(), words.data_dir.c_str(),
              static_cast<unsigned long long>(restored.seq_gap));
}

int restore(const Words& words) {
  const storage::Restored restored = storage::restore(words.restore, words.data_dir, words.replace,
                                                      runtime::read_clocks().wall_ms);
  const bool done = restored.end == RestoreEnd::done;
  if (words.json) {
    Json json{{"restored", done}, {"data_dir", words.data_dir}, {"wrongs", restored.wrongs}};
    if (done) {
      json["backup"] = restored.manifest.name;
      json["seq_gap"] = restored.seq_gap;
      json["epoch_gap"] = storage::epoch_gap;
      json["replaced"] = restored.replaced;
    }
    print_json(json);
  } else if (done) {
    print_restored(words, restored);
  }
  say_wrongs(restored.wrongs);
  if (restored.end == RestoreEnd::damaged) {
    std::fprintf(stderr, "millraced: nothing was changed: restore an older backup\n");
  }
  return code_of(restored.end);
}

int run(const Words& words) {
  if (!words.verify.empty() && !words.restore.empty()) {
    return misused("--verify and --restore cannot be used together");
  }
  if (!words.verify.empty()) {
    if (words.replace || !words.data_dir.empty()) {
      return misused("--data-dir and --replace can only be used with --restore");
    }
    return verify(words);
  }
  if (words.restore.empty()) return misused("--restore needs the path of a backup");
  if (words.data_dir.empty())
    return misused("--restore needs --data-dir DIR, the data folder to restore into");
  return restore(words);
}

}  // namespace

std::optional<int> run_offline(int count, char** arguments) {
  const std::vector<std::string_view> given(arguments + 1, arguments + count);
  bool asked = false;
  for (const auto word : given) asked = asked || word == "--verify" || word == "--restore";
  if (!asked) return std::nullopt;
  Words words;
  for (std::size_t at = 0; at < given.size(); ++at) {
    const std::string_view word = given[at];
    std::string* value = word == "--verify"     ? &words.verify
                         : word == "--restore"  ? &words.restore
                         : word == "--data-dir" ? &words.data_dir
                                                : nullptr;
    if (value != nullptr && at + 1 < given.size() && !given[at + 1].empty()) {
      *value = given[++at];
    } else if (value != nullptr) {
      return misused(std::string(word) + " needs a path");
    } else if (word == "--replace") {
      words.replace = true;
    } else if (word == "--json") {
      words.json = true;
    } else {
      return misused("unknown option '" + std::string(word) + "' for --verify or --restore");
    }
  }
  return run(words);
}

}  // namespace millrace
