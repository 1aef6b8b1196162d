// Which names of the SDK are its interface. The shared library is compiled with hidden symbols:
// what an application calls is marked MILLRACE_EXPORT, and everything else stays inside.
#pragma once

#if defined(__GNUC__)
#define MILLRACE_EXPORT __attribute__((visibility("default")))
#define MILLRACE_HIDDEN __attribute__((visibility("hidden")))
#else
#define MILLRACE_EXPORT
#define MILLRACE_HIDDEN
#endif
