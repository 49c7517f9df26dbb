// How far an ONNX model's answers are from known ones, on a phone's CPU or on an accelerator that a plug-in of onnxruntime has:
//
//   PROGRAM LIBRARY MODEL CALLS ANSWERS                            on the CPU
//   PROGRAM LIBRARY MODEL CALLS ANSWERS NAME PLUGIN [KEY=VALUE...] on the devices NAME of the plug-in
//
// CALLS and ANSWERS have the form of targets/common/calls.py. Keys that begin with "session." are onnxruntime's, others the
// plug-in's. Prints signal to noise of the worst output in whole decibels, of all calls together; 150 where it is equal.
// Exit status: 0, or 2 with the reason in place of the number.
//
// Compiled for 64-bit Android without its NDK: what is declared here is all that is used of the C library.

#include <onnxruntime_c_api.h>

void* dlopen(const char*, int);
void* dlsym(void*, const char*);
char* dlerror(void);
void* malloc(size_t);
void exit(int);
int printf(const char*, ...);
void* fopen(const char*, const char*);
size_t fread(void*, size_t, size_t, void*);
int fseek(void*, long, int);
long ftell(void*);
int strcmp(const char*, const char*);
int strncmp(const char*, const char*, size_t);
char* strchr(const char*, int);
void* memcpy(void*, const void*, size_t);

enum { kNow = 2, kEnd = 2, kMagic = 0x31434b45, kMost = 512, kMostAxes = 16, kLongest = 256, kEqual = 150 };

typedef struct {
  char name[kLongest];
  int64_t shape[kMostAxes];
  uint32_t type, axes;
  uint64_t size;
  char* data;
} Tensor;

typedef struct {
  char *at, *end;
} Reader;

static const OrtApi* api;
static Tensor given[kMost], known[kMost];
static double signal[kMost], noise[kMost];

static void fail(const char* why) {
  printf("%s\n", why ? why : "no reason");
  exit(2);
}

static void check(OrtStatus* status) {
  if (status) fail(api->GetErrorMessage(status));
}

static char* bytes(Reader* in, uint64_t size) {
  if (size > (uint64_t)(in->end - in->at)) fail("a file of calls ends early");
  char* start = in->at;
  in->at += size;
  return start;
}

static uint32_t number(Reader* in, uint32_t most) {
  uint32_t value;
  memcpy(&value, bytes(in, sizeof value), sizeof value);
  if (value > most) fail("a file of calls is damaged");
  return value;
}

static Reader read_file(const char* path, uint32_t* calls) {
  void* file = fopen(path, "rb");
  if (!file || fseek(file, 0, kEnd)) fail("a file of calls is not there");
  const long size = ftell(file);
  Reader in = {malloc((size_t)size + 1), 0};
  fseek(file, 0, 0);
  if (!in.at || fread(in.at, 1, (size_t)size, file) != (size_t)size) fail("a file of calls cannot be read");
  in.end = in.at + size;
  if (number(&in, 0xffffffffu) != kMagic) fail("this is no file of calls");
  *calls = number(&in, 1u << 20);
  return in;
}

// The tensors of the next call; their values stay where the file was read to.
static uint32_t next(Reader* in, Tensor* tensors) {
  const uint32_t count = number(in, kMost);
  for (uint32_t i = 0; i < count; ++i) {
    Tensor* one = &tensors[i];
    const uint32_t length = number(in, kLongest - 1);
    memcpy(one->name, bytes(in, length), length);
    one->name[length] = 0;
    one->type = number(in, 64);
    one->axes = number(in, kMostAxes);
    memcpy(one->shape, bytes(in, 8 * (uint64_t)one->axes), 8 * (size_t)one->axes);
    memcpy(&one->size, bytes(in, 8), 8);
    one->data = bytes(in, one->size);
  }
  return count;
}

static OrtEnv* open_runtime(const char* library) {
  void* opened = dlopen(library, kNow);
  const OrtApiBase* (*base)(void) = 0;
  if (opened) *(void**)&base = dlsym(opened, "OrtGetApiBase");
  if (!base) fail(dlerror());
  OrtEnv* environment = 0;
  if (!(api = base()->GetApi(ORT_API_VERSION))) fail("this onnxruntime is older than the kit");
  check(api->CreateEnv(ORT_LOGGING_LEVEL_FATAL, "edgekit", &environment));
  check(api->DisableTelemetryEvents(environment));
  return environment;
}

// The first device of the plug-in, by whose name it is registered, too; `pairs` of KEY=VALUE are cut at their sign.
static void add_plugin(OrtEnv* environment, OrtSessionOptions* options, const char* name, const char* path, char** pairs,
                       int count) {
  const OrtEpDevice* const* devices = 0;
  const OrtEpDevice* chosen = 0;
  const char *keys[kMost], *values[kMost];
  size_t found = 0, told = 0;
  check(api->RegisterExecutionProviderLibrary(environment, name, path));
  check(api->GetEpDevices(environment, &devices, &found));
  for (size_t i = 0; i < found && !chosen; ++i)
    if (!strcmp(api->EpDevice_EpName(devices[i]), name)) chosen = devices[i];
  if (!chosen) fail("the plug-in has no device here");
  for (int i = 0; i < count && i < kMost; ++i) {
    char* sign = strchr(pairs[i], '=');
    if (!sign) fail("an option is no KEY=VALUE");
    *sign = 0;
    if (strncmp(pairs[i], "session.", 8)) {
      keys[told] = pairs[i];
      values[told++] = sign + 1;
    } else {
      check(api->AddSessionConfigEntry(options, pairs[i], sign + 1));
    }
  }
  check(api->SessionOptionsAppendExecutionProvider_V2(options, environment, &chosen, 1, keys, values, told));
}

static double value_of(uint32_t type, const char* data, uint64_t place) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT: return ((const float*)data)[place];
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32: return ((const int32_t*)data)[place];
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64: return (double)((const int64_t*)data)[place];
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8: return ((const int8_t*)data)[place];
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL: return ((const uint8_t*)data)[place];
    default: fail("an output has a type that the kit does not compare");
  }
  return 0;
}

// The values in the file may lie anywhere; a copy from malloc lies where every type may.
static void compare(const Tensor* wanted, OrtValue* made, uint32_t at) {
  OrtTensorTypeAndShapeInfo* info = 0;
  ONNXTensorElementDataType type;
  size_t count = 0;
  void* data = 0;
  check(api->GetTensorTypeAndShape(made, &info));
  check(api->GetTensorElementType(info, &type));
  check(api->GetTensorShapeElementCount(info, &count));
  check(api->GetTensorMutableData(made, &data));
  api->ReleaseTensorTypeAndShapeInfo(info);
  uint64_t held = 1;
  for (uint32_t i = 0; i < wanted->axes; ++i) held *= (uint64_t)wanted->shape[i];
  char* copy = malloc(wanted->size + 1);
  if ((uint32_t)type != wanted->type || held != count || !copy) fail("an output is of another type or size than known");
  memcpy(copy, wanted->data, wanted->size);
  for (uint64_t i = 0; i < held; ++i) {
    const double right = value_of(wanted->type, copy, i), off = value_of(wanted->type, data, i) - right;
    signal[at] += right * right;
    noise[at] += off * off;
  }
}

static int decibels(double power, double error) {
  int found = 0;
  if (error == 0) return kEqual;
  if (!(error < 1e300)) return -kEqual;  // infinite, or not a number
  for (; found < kEqual && power >= error * 1.2589254117941673; ++found) power /= 1.2589254117941673;
  for (; found > -kEqual && power < error; --found) power *= 1.2589254117941673;
  return found;
}

int main(int count, char** arguments) {
  if (count != 5 && count < 7) fail("usage: see targets/android/kit/distance.c");
  uint32_t calls = 0, answers = 0, outputs = 0;
  Reader in = read_file(arguments[3], &calls), out = read_file(arguments[4], &answers);
  OrtEnv* environment = open_runtime(arguments[1]);
  OrtSessionOptions* options = 0;
  OrtSession* session = 0;
  OrtMemoryInfo* memory = 0;
  check(api->CreateSessionOptions(&options));
  check(api->SetIntraOpNumThreads(options, 1));
  if (count > 5) add_plugin(environment, options, arguments[5], arguments[6], arguments + 7, count - 7);
  check(api->CreateSession(environment, arguments[2], options, &session));
  check(api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory));
  if (!calls || calls != answers) fail("there is not an answer to every call");
  for (uint32_t call = 0; call < calls; ++call) {
    const char *fed[kMost], *asked[kMost];
    OrtValue *values[kMost], *made[kMost];
    const uint32_t inputs = next(&in, given);
    outputs = next(&out, known);
    for (uint32_t i = 0; i < inputs; ++i) {
      char* copy = malloc(given[i].size + 1);
      if (!copy) fail("there is no memory left");
      memcpy(copy, given[i].data, given[i].size);
      fed[i] = given[i].name;
      check(api->CreateTensorWithDataAsOrtValue(memory, copy, given[i].size, given[i].shape, given[i].axes,
                                                (ONNXTensorElementDataType)given[i].type, &values[i]));
    }
    for (uint32_t i = 0; i < outputs; ++i) {
      asked[i] = known[i].name;
      made[i] = 0;
    }
    check(api->Run(session, 0, fed, (const OrtValue* const*)values, inputs, asked, outputs, made));
    for (uint32_t i = 0; i < outputs; ++i) compare(&known[i], made[i], i);
  }
  int worst = kEqual;
  for (uint32_t i = 0; i < outputs; ++i) {
    const int found = decibels(signal[i], noise[i]);
    if (found < worst) worst = found;
  }
  printf("%d\n", worst);
  return 0;
}

#ifdef EDGEKIT_ANDROID
// What the NDK's crtbegin does: Android's C library starts `main` and ends the process. No constructors are in here.
void __libc_init(void* raw, void (*onexit)(void), int (*slingshot)(int, char**, char**), void* const* structors);
static void* const kNothing[6];
static int start(int count, char** arguments, char** environment) { return environment ? main(count, arguments) : 2; }
__attribute__((used)) static void begin(void* raw) { __libc_init(raw, 0, start, kNothing); }
__asm__(".globl _start\n_start:\n  mov x29, #0\n  mov x30, #0\n  mov x0, sp\n  b begin\n");
#endif
