# The two commands of the README are `make demo` and `make test`. Both build .venv when it is missing and reuse it. Versions and
# hashes are those of requirements/*.lock, a file a Python.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
SOURCES := setup.py $(shell find toolkit exporters targets models bench -type f -not -name '*.pyc')
DEMO := build/demo/whisper-base-android
CLIP := models/data/golden/jfk.flac

# Weights that lie beside the checkout are not fetched.
export EDGEKIT_MIRROR ?= $(wildcard $(CURDIR)/../shared/models)

.PHONY: help demo test test-all fast slow peer-tests lint types fuzz some train python-tools dist lock docs recordings peers judges vision-peers phone-roads clean firmware-tools firmware-figures llama browser-tools phone-tools adb-tools phone-llama android-tools swift-tools accelerator-tools
.DELETE_ON_ERROR:

help:
	@echo "make demo    export whisper-base for android, transcribe a real clip, bench on this machine"
	@echo "make lock    the lock files again, with the newest versions (requirements/)"
	@echo "make python-tools  by apt: what Debian and Ubuntu leave out of their Python, if .venv cannot be made"
	@echo "make test    the fast tests, and a quick real export of every family and format"
	@echo "make test-all  these, many shapes, emulators, real weights and data: all but what is marked peers or slow"
	@echo "make fast    the tests that need neither weights nor minutes"
	@echo "make some    two minutes of them and an export: for another Python (VENV=.venv-3.13 PYTHON=python3.13)"
	@echo "make slow    the tests that take many minutes, such as a model once more in every format: before a release"
	@echo "make peer-tests  the tests beside other tools, in environments of their own"
	@echo "make lint    ruff, and the prose linter for pages, help texts, errors and docstrings; make types: mypy --strict on the installed wheel"
	@echo "make docs    the documentation site, into build/site"
	@echo "make peers   side by side with faster-whisper, whisper.cpp and optimum-onnx (an hour; wants the machine to itself)"
	@echo "make vision-peers  int8 of a vision model beside onnxruntime, OpenVINO + NNCF and ExecuTorch (ten minutes)"
	@echo "make judges  runtimes and compilers of others on 24 models (needs browser-tools and phone-tools; an hour at first)"
	@echo "make phone-roads   onnx, LiteRT and ExecuTorch side by side (exports once, half an hour; then ten quiet minutes)"
	@echo "make firmware-tools  compilers and emulators for microcontrollers, by apt; instant when they are there"
	@echo "make firmware-figures  generated C beside bakenn in the emulator (half an hour; need not be quiet)"
	@echo "make llama   llama.cpp for language models, compiled once (some minutes)"
	@echo "make browser-tools  a browser, and npm where there is none, by apt: for the report page and the target web"
	@echo "make phone-tools  a compiler and an emulator for the processors of phones, by apt, and the runtime for them"
	@echo "make android-tools  Java, by apt, and a Kotlin compiler, by pip, for the modules that apps take"
	@echo "make adb-tools  adb, and an emulated phone for it that lives as long as a command does"
	@echo "make phone-llama  llama.cpp for them, compiled once (some minutes)"
	@echo "make swift-tools  a Swift compiler, by apt (450 MB to fetch, 2.1 GB on disk), for the packages that apps take"
	@echo "make accelerator-tools  vendors' compilers and simulators for neural processors, by pip (Qualcomm's under its own licence)"
	@echo "make train   train the models that are edgekit's own again, and say how good they are (half an hour)"
	@echo "make fuzz    search for bytes that break a reader of foreign files (ten minutes each; FUZZ_SECONDS=, FUZZ_READERS=)"
	@echo "make dist    wheel and sdist in build/dist, built and checked"
	@echo "make clean   remove what these targets made (weights stay in the cache)"

# pip comes with the environment, and fetches uv; uv installs the rest. With other locks it begins anew: nothing of the old stays.
$(UV): requirements/uv.txt $(wildcard requirements/*.lock)
	@version=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])') || exit 1; \
	test -f requirements/$$version.lock || { echo "edgekit has locks for Python $(PYTHONS); $(PYTHON) is $$version. Set PYTHON="; exit 1; }; \
	test $$version != $(UNTRIED) || echo "Python $(UNTRIED): its packages are resolved; edgekit was not tried with it"
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make an environment: it lacks ensurepip. \
	Debian, Ubuntu: apt-get install python3-venv, or: make python-tools"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r $<
	touch $@

# What Debian and Ubuntu leave out of their Python.
python-tools:
	@$(call apt,python3-venv)

# $(INSTALL) WHAT: with the versions and hashes of this Python's lock, those of what builds it as well. Of llama.cpp only the
# Python bindings: `make llama`. Compiled at once: where Python writes no bytecode, every process that imports torch would
# spend seven seconds on it.
LOCK = requirements/$(shell $(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])').lock
INSTALL = SKBUILD_WHEEL_CMAKE=false $(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --constraint $(LOCK) --build-constraint $(LOCK)

# What the demo needs, and what builds the wheel.
$(VENV)/.demo: $(UV) pyproject.toml
	$(INSTALL) --requirements pyproject.toml --extra export setuptools
	touch $@

# The rest of the lock: every format, the tests.
$(VENV)/.dependencies: $(VENV)/.demo
	$(INSTALL) --requirements pyproject.toml --extra dev
	touch $@

# The wheel itself, compiled: a test with a full disk must not leave half of a file. Tests and types look at it, never at the
# source tree; a stale build folder would leak into it.
$(VENV)/.installed: $(VENV)/.demo $(SOURCES)
	rm -rf build/lib build/wheel *.egg-info
	$(UV) build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir build/wheel .
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --reinstall build/wheel/edgekit_ml-*.whl
	$(BIN)/python -m compileall -q $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/edgekit
	touch $@

$(VENV)/.wheel: $(VENV)/.dependencies $(VENV)/.installed
	touch $@

# The extras that `all` leaves out: a beta, a compiler, and libraries under a vendor's own licence.
$(VENV)/.accelerators: requirements/accelerators.txt $(VENV)/.dependencies
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --constraint $(LOCK) -r $<
	touch $@

accelerator-tools: $(VENV)/.accelerators

demo: $(VENV)/.installed
	$(BIN)/edgekit export whisper-base --target android --out $(DEMO)
	$(BIN)/edgekit run $(DEMO) $(CLIP)
	$(BIN)/edgekit bench $(DEMO) --out build/demo/report.json
	$(BIN)/edgekit report build/demo/report.json --html build/demo/report.html

# $(call environment,WHAT): an environment in the target's folder, of the Python of .venv, with WHAT in it.
define environment
$(UV) venv --quiet --clear --python $(BIN)/python $(@D)
$(UV) pip install --quiet --compile-bytecode --python $(@D)/bin/python $(1)
touch $@
endef

# What builds and checks a release, in an environment of its own.
.venv-dist/.installed: requirements/dist.txt | $(UV)
	$(call environment,-r $<)

# Wheel and sdist in build/dist; the wheel is built from the sdist, so that it holds what a build needs.
dist: .venv-dist/.installed
	rm -rf build/dist build/lib *.egg-info
	.venv-dist/bin/python -m build --outdir build/dist . > build/dist.log 2>&1 || { tail -20 build/dist.log; exit 1; }
	.venv-dist/bin/twine check --strict build/dist/*
	.venv-dist/bin/check-wheel-contents build/dist/*.whl

# The locks, made again with the newest versions, and uv's own: for Linux and macOS. Where a Python has no wheel of a version,
# another is taken; the two that have none anywhere are built, by what the lock pins.
PYTHONS := 3.11 3.12 3.13 3.14
UNTRIED := 3.14
COMPILE = $(UV) pip compile --quiet --universal --only-binary :all: --generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade

lock: $(UV)
	for version in $(PYTHONS); do \
	    echo 'scikit-build-core[pyproject]' | $(COMPILE) --no-binary llama-cpp-python --no-binary antlr4-python3-runtime \
	        --python-version $$version --extra dev --output-file requirements/$$version.lock pyproject.toml - || exit 1; done
	echo uv | $(COMPILE) --python-version 3.11 --output-file requirements/uv.txt -

# As many processes as there are cores, four at most (each may take 2 GB); files stay whole, so that what their tests
# share is made once. Networks that take all cores wait for one another: torch computes with one thread, a thread of llama.cpp
# that waits leaves its core to others, and all but the fast tests have a core each. Python keeps what it compiled of the
# tests, so that the second run begins ten seconds sooner. Files keep their order (tests/conftest.py).
WORKERS ?= auto
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadfile \
    --no-loadscope-reorder

test: $(VENV)/.wheel
	$(PYTEST) -m "quick or (not thorough and not real and not peers and not slow)"

test-all: test
	PIN=1 $(PYTEST) -m "(thorough or real) and not quick and not peers and not slow"

fast: $(VENV)/.wheel
	$(PYTEST) -m "not thorough and not real and not peers and not slow"

# Of those, what a Python's version may change: what is compiled, traced, fetched by pip and written.
SOME := tests/release tests/bench/metrics tests/toolkit/sources tests/toolkit/importers/python_file tests/toolkit/common

some: $(VENV)/.wheel
	$(PYTEST) -m "not thorough and not real and not peers and not slow" $(SOME)
	$(BIN)/edgekit export efficientnet-lite0 --target laptop --out build/some

slow: $(VENV)/.wheel
	PIN=1 $(PYTEST) -m "slow and not peers"

# What is marked `peers`, with the tools that it needs in environments of their own. `make peers` makes the table of figures.
peer-tests: $(VENV)/.wheel accelerator-tools .venv-peers/.installed .venv-optimum/.installed .venv-bakenn/.installed
	PIN=1 $(PYTEST) -m peers

lint: $(VENV)/.dependencies .venv-docs/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	.venv-docs/bin/python docs/site/prose.py

types: $(VENV)/.wheel
	$(BIN)/mypy -p edgekit

# The site needs edgekit's base alone: pages are generated from declarations, parsers and docstrings. Strict: a warning fails.
.venv-docs/.installed: requirements/docs.txt pyproject.toml | $(UV)
	rm -rf build/lib *.egg-info
	$(call environment,-r $< .)

.venv-docs/.wheel: .venv-docs/.installed $(SOURCES)
	rm -rf build/lib *.egg-info
	$(UV) pip install --quiet --python .venv-docs/bin/python --no-deps --reinstall .
	touch $@

docs: .venv-docs/.wheel
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict

# The terminal recordings of the three first pages: the commands really run (a few minutes, real weights).
recordings: $(VENV)/.wheel
	for name in laptop phone microcontroller; do \
	    PATH="$(CURDIR)/$(BIN):$$PATH" EDGEKIT="$(CURDIR)" $(BIN)/python docs/site/record.py $$name || exit 1; done

# The peers live in environments of their own: their pins must not meet ours.
.venv-peers/.installed: tests/peers/requirements.txt | $(UV)
	$(call environment,-r $<)

.venv-optimum/.installed: tests/peers/optimum-requirements.txt | $(UV)
	$(call environment,-r $<)

PEERS_OPTIONS ?=
peers: $(VENV)/.wheel .venv-peers/.installed .venv-optimum/.installed
	$(BIN)/python tests/peers/compare_whisper.py --markdown docs/peers.md --json build/peers.json $(PEERS_OPTIONS)

# int8 of EfficientNet-Lite0 beside onnxruntime's own, OpenVINO + NNCF and ExecuTorch: ten minutes, on a quiet machine.
# Exit status 1: a peer is faster. docs/vision.md has the figures.
.venv-vision/.installed: tests/peers/vision-requirements.txt | $(UV)
	$(call environment,-r $<)

VISION_OPTIONS ?=
vision-peers: $(VENV)/.wheel .venv-vision/.installed
	$(BIN)/python tests/peers/compare_vision.py ../shared/data/imagenet-sample --markdown build/vision-peers.md \
		--json build/vision-peers.json $(VISION_OPTIONS)

# onnx, LiteRT and ExecuTorch side by side, into docs/phones.md. Exports once, with ROADS_OPTIONS="--minutes 0" only that;
# then ten minutes on a quiet machine.
ROADS_OPTIONS ?=
phone-roads: $(VENV)/.wheel
	$(BIN)/python tests/peers/compare_phone_roads.py ../shared/data --bundles build/phone-roads \
		--markdown docs/phones.md --json build/phone-roads.json $(ROADS_OPTIONS)

# The firmware side by side with bakenn, on emulated processors: half an hour, and the machine need not be quiet.
# Without the emulators (make firmware-tools) it says so and stops. Exit status 1: a bar of the page is missed.
.venv-bakenn/.installed: tests/peers/microcontroller-requirements.txt | $(UV)
	$(call environment,-r $<)

FIGURES_OPTIONS ?=
firmware-figures: $(VENV)/.wheel .venv-bakenn/.installed
	$(BIN)/python tests/peers/compare_microcontroller.py --markdown docs/microcontroller-figures.md \
		--json build/microcontroller-figures.json $(FIGURES_OPTIONS)

# Judges from outside: runtimes and compilers of others on today's bundles, into docs/judges.md. What did not change is not
# asked again.
JUDGES_OPTIONS ?=
judges: $(VENV)/.wheel accelerator-tools
	$(BIN)/python tests/peers/judges/ask.py --markdown docs/judges.md --json build/judges/judges.json $(JUDGES_OPTIONS)

# llama.cpp's libraries and tools, from the source that the bindings came with: minutes the first time, then nothing.
llama: $(VENV)/.wheel
	$(BIN)/python -m edgekit.llama

# A browser that looks at pages, and npm, which fetches what they load (Debian, Ubuntu).
browser-tools:
	@$(call apt,chromium $(if $(shell command -v npm),,nodejs npm))

# $(call apt,NAMES): installs the packages that are not there.
define apt
command -v dpkg-query >/dev/null || { echo "this needs apt; install by hand: $(1)"; exit 1; }; \
missing=""; for name in $(1); do \
    dpkg-query -W -f '$${Status}' $$name 2>/dev/null | grep -q "install ok installed" || missing="$$missing $$name"; \
done; \
test -z "$$missing" && exit 0; \
root=""; test "$$(id -u)" = 0 || root=sudo; \
$$root apt-get update -qq && \
$$root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $$missing
endef

# Compilers and emulators for the microcontroller targets (Debian, Ubuntu). Instant when all of them are there.
FIRMWARE_TOOLS := cmake ninja-build ccache g++ gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib qemu-system-arm \
	qemu-system-misc gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf espeak-ng

firmware-tools:
	@$(call apt,$(FIRMWARE_TOOLS))

# Emulating the processors of phones: a compiler, an emulator, the runtime's headers; then the runtime for Arm.
PHONE_TOOLS := g++-aarch64-linux-gnu qemu-user libonnxruntime-dev

phone-tools: $(VENV)/.wheel
	@$(call apt,$(PHONE_TOOLS))
	$(BIN)/python -m edgekit.targets.android.arm64

# llama.cpp for the processors of phones, compiled once: minutes the first time, then nothing.
phone-llama: $(VENV)/.wheel phone-tools
	@$(call apt,cmake ninja-build ccache)
	$(BIN)/python -m edgekit.targets.android.arm64.gguf

# adb from its package; an emulated phone from packages that are unpacked and not installed, so no service is left.
# Run something beside it with: sh tests/phone/loopback.sh build/phone COMMAND
ADB_TOOLS := adb iproute2 qemu-user util-linux

adb-tools: phone-tools
	@$(call apt,$(ADB_TOOLS))
	sh tests/phone/make_root.sh $(CURDIR)/build/phone

# What app modules are compiled with here: Java and JUnit (Debian, Ubuntu), and the Kotlin compiler that a kernel for
# notebooks brings, in a folder of its own. What compiles an app's manifest and native library and signs it; by npm, a dexer
# and the runtime's library for Android. Neither Gradle nor Android's SDK.
ANDROID_TOOLS := default-jdk-headless junit4 aapt apksigner android-framework-res gcc-aarch64-linux-gnu
KOTLIN := kotlin-jupyter-kernel==0.19.0.944

build/kotlin/.$(KOTLIN): $(VENV)/.dependencies
	rm -rf build/kotlin
	$(BIN)/pip install --quiet --no-deps --target build/kotlin $(KOTLIN)
	touch $@

android-tools: $(VENV)/.wheel build/kotlin/.$(KOTLIN)
	@$(call apt,$(ANDROID_TOOLS))
	$(BIN)/python -m edgekit.targets.android.forms.tools

# edgekit's own models, trained again from fixed seeds into build/train; the weights in models/data/weights stay. The
# pictures are a Debian package, unpacked and not installed; the ratings are a Python package, in edgekit's cache.
FASHION := build/fashion-mnist/usr/share/datasets/fashion-mnist
FASHION_SHA256 := 39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0
TRAIN := OMP_NUM_THREADS=1 $(BIN)/python

$(FASHION):
	rm -rf build/fashion-mnist
	mkdir -p build/fashion-mnist
	cd build/fashion-mnist && apt-get download -qq dataset-fashion-mnist
	echo "$(FASHION_SHA256)  $$(ls build/fashion-mnist/*.deb)" | sha256sum --check --quiet
	dpkg-deb --extract build/fashion-mnist/*.deb build/fashion-mnist

train: $(VENV)/.wheel $(FASHION)
	$(TRAIN) training/vit_fashion.py $(FASHION)
	$(TRAIN) training/two_tower_movielens.py
	$(TRAIN) training/ddpm_fashion.py $(FASHION)

# A search for bytes that break a reader of foreign files (tests/fuzzing). The fuzzer is for Linux on x86-64.
ATHERIS := atheris==3.0.0
FUZZ_SECONDS ?= 600
FUZZ_INPUTS ?= -1
FUZZ_JOBS ?= 1
FUZZ_SEED ?= 0
FUZZ_READERS ?=
FUZZ_TURN ?= 0

build/atheris/.$(ATHERIS): $(VENV)/.dependencies
	rm -rf build/atheris
	$(BIN)/pip install --quiet --no-deps --target build/atheris $(ATHERIS)
	touch $@

fuzz: $(VENV)/.wheel build/atheris/.$(ATHERIS)
	PYTHONPATH=build/atheris $(BIN)/python tests/fuzzing/search.py --seconds $(FUZZ_SECONDS) --inputs $(FUZZ_INPUTS) \
		--jobs $(FUZZ_JOBS) --seed $(FUZZ_SEED) --turn $(FUZZ_TURN) $(FUZZ_READERS)

# What Swift packages are compiled and tested with here: Debian's compiler, without any of Apple's frameworks.
swift-tools:
	@$(call apt,swiftlang zlib1g-dev)

clean:
	rm -rf $(VENV) .venv-* build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
