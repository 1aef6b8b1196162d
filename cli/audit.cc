// The commands audit and audit verify: they read the files of the broker's audit log on its
// machine.
#include "commands.h"
#include "output.h"

#include "audit/reader.h"

#include <millrace/times.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace millrace::cli {
namespace {

using audit::FailureKind;

int failed(const Options& options, const audit::Failure& failure) {
  const bool absent = failure.kind == FailureKind::not_found;
  if (options.json) {
    print_json({{"error", {{"code", absent ? "not_found" : "io"}, {"message", failure.message}}}});
  }
  std::fprintf(stderr, "millrace: %s\n", failure.message.c_str());
  return absent ? exit_not_found : exit_io;
}

std::string place(const audit::Finding& finding) {
  const std::string line = finding.line > 0 ? ", line " + std::to_string(finding.line) : "";
  return finding.file + line + (finding.file.empty() ? "" : ": ");
}

void print_line(const Options& options, const audit::Found& found) {
  if (options.json) {
    print(found.text + "\n");
    return;
  }
  const audit::Line& line = found.line;
  const audit::Entry& entry = line.entry;
  print(std::to_string(line.seq) + "  " + audit::time_text(line.time) + "  " + entry.who +
        (entry.from.empty() ? "" : " from " + entry.from) + "  " + entry.verb +
        (entry.on.empty() ? "" : " " + entry.on) + "  " + entry.result +
        (entry.message.empty() ? "" : ": " + entry.message) + "\n");
}

int list_audit(const Options& options) {
  const audit::Filter filter{.who = options.who,
                             .verb = options.verb,
                             .on_prefix = options.audit_topic,
                             .since = options.since,
                             .until = options.until,
                             .refused = options.refused,
                             .limit = options.newest};
  bool any = false;
  const auto findings = audit::read(options.audit_dir, filter, [&](const audit::Found& found) {
    any = true;
    print_line(options, found);
  });
  if (!findings) return failed(options, findings.error());
  if (!any && !options.json) print("no line of the audit log matches\n");
  for (const audit::Finding& each : *findings) {
    std::fprintf(stderr, "millrace: %s%s; 'millrace audit verify' checks the whole log\n",
                 place(each).c_str(), each.text.c_str());
  }
  return findings->empty() ? exit_ok : exit_refused;
}

nlohmann::json report_json(const audit::Report& report) {
  nlohmann::json problems = nlohmann::json::array();
  for (const audit::Finding& each : report.problems) {
    problems.push_back({{"file", each.file}, {"line", each.line}, {"message", each.text}});
  }
  return {{"intact", report.intact()},
          {"files", report.files},
          {"lines", report.lines},
          {"first", report.first_seq},
          {"last", report.last_seq},
          {"hash", report.last_hash},
          {"problem_count", report.problem_count},
          {"problems", std::move(problems)},
          {"notes", report.notes}};
}

void print_report(const Options& options, const audit::Report& report) {
  if (report.lines > 0) {
    print(std::to_string(report.lines) + " lines in " + std::to_string(report.files) +
          (report.files == 1 ? " file: line " : " files: line ") +
          std::to_string(report.first_seq) + " of " + audit::time_text(report.first_time) +
          " to line " + std::to_string(report.last_seq) + " of " +
          audit::time_text(report.last_time) + "\nhash of the last line: " + report.last_hash +
          "\n");
  }
  for (const std::string& note : report.notes) print("note: " + note + "\n");
  if (!report.intact()) return;
  if (report.noted_seq) {
    print("line " + std::to_string(*report.noted_seq) +
          " has the hash of --head: nothing up to it was changed\n");
  }
  print(options.audit_dir + ": no damage found\n");
}

int verify_audit(const Options& options) {
  const auto report = audit::verify(
      options.audit_dir, {.noted_hash = options.noted_hash, .after_hash = options.after_hash});
  if (!report) return failed(options, report.error());
  if (options.json) {
    print_json(report_json(*report));
  } else {
    print_report(options, *report);
  }
  for (const audit::Finding& each : report->problems) {
    std::fprintf(stderr, "millrace: %s%s\n", place(each).c_str(), each.text.c_str());
  }
  if (report->problem_count > report->problems.size()) {
    std::fprintf(stderr, "millrace: %llu problems were found, and the first %zu are shown\n",
                 static_cast<unsigned long long>(report->problem_count), report->problems.size());
  }
  return report->intact() ? exit_ok : exit_refused;
}

Option folder_option() {
  return {.name = "--dir",
          .value = "FOLDER",
          .help = "folder of the audit log (default /var/lib/millrace/audit)",
          .store = [](Options& options, const std::string& folder) {
            options.audit_dir = folder;
            return folder.empty() ? std::string("--dir must not be empty") : std::string{};
          }};
}

// Any time that a line can have, also one beyond the range of the system clock.
Option moment_option(std::string_view name, std::optional<audit::WallTime> Options::*to,
                     std::string_view help) {
  return {.name = name,
          .value = "TIME",
          .help = help,
          .store = [=](Options& options, const std::string& text) {
            const auto time = parse_time(text);
            if (!time) return std::string(name) + ": " + time.error().message;
            options.*to = *time;
            return std::string{};
          }};
}

Option hash_option(std::string_view name, std::optional<std::string> Options::*to,
                   std::string_view help) {
  return {.name = name,
          .value = "HASH",
          .help = help,
          .store = [=](Options& options, const std::string& text) {
            std::string hash = text;
            std::transform(hash.begin(), hash.end(), hash.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
            options.*to = hash;
            if (audit::is_hash(hash)) return std::string{};
            return std::string(name) + " takes a hash of 64 hexadecimal digits, not '" +
                   safe_text(text, 80) + "'";
          }};
}

std::string list_contradiction(const Options& options) {
  if (options.since && options.until && *options.since >= *options.until) {
    return "--since must be earlier than --until";
  }
  return {};
}

// The options of audit are known behind verify too.
std::string verify_contradiction(const Options& options) {
  if (options.who || options.verb || options.audit_topic || options.since || options.until ||
      options.refused || options.newest) {
    return "audit verify checks every line: it takes only --dir, --head and --after";
  }
  return {};
}

}  // namespace

std::vector<Command> audit_commands() {
  return {
      {.name = "audit",
       .help = "show who changed what: the audit log on the broker's machine",
       .options = {folder_option(),
                   text_option("--who", "NAME", &Options::who, "show only what this name did"),
                   text_option("--verb", "VERB", &Options::verb,
                               "show only this verb, for example pause"),
                   text_option("--topic", "TOPIC", &Options::audit_topic,
                               "show only what concerns topics, and their jobs, whose name begins "
                               "like this"),
                   moment_option("--since", &Options::since, "show only this time and later"),
                   moment_option("--until", &Options::until, "show only what was before this time"),
                   flag("--refused", &Options::refused, "show only requests that were refused"),
                   number_option("--limit", &Options::newest, 1, 10'000,
                                 "show only the newest N lines; without it, all")},
       .examples = "  millrace audit --dir /var/lib/millrace/audit --limit 20\n"
                   "  millrace audit --dir /var/lib/millrace/audit --who ops --verb pause\n"
                   "  millrace audit --dir /var/lib/millrace/audit --refused --since "
                   "2026-11-01T00:00:00Z --json\n",
       .run = list_audit,
       .contradiction = list_contradiction},
      {.name = "audit verify",
       .help = "check that no line of the audit log was changed, removed or inserted",
       .options = {folder_option(),
                   hash_option("--head", &Options::noted_hash,
                               "hash of a line that was noted elsewhere and must be in the log"),
                   hash_option("--after", &Options::after_hash,
                               "hash of the last line of older files that were moved away")},
       .examples = "  millrace audit verify --dir /var/lib/millrace/audit\n",
       .run = verify_audit,
       .contradiction = verify_contradiction},
  };
}

}  // namespace millrace::cli
