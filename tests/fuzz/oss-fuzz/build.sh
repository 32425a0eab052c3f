#!/bin/bash -eu
# The targets of tests/fuzz/guided for OSS-Fuzz: one program, a script and a corpus for each target. It sets CC, CFLAGS,
# LIB_FUZZING_ENGINE, SRC and OUT; what runs later has nothing but OUT, so Python goes there as well.
top=$SRC/fluxcap
made=$OUT/fluxcap
"$top/tests/fuzz/guided/build" "$made"
rm -r "$made/temp"

python=$(python3 -c 'import sys; print(sys.base_prefix)')
packages=$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
mkdir -p "$made/python/lib" "$made/tests"
cp -r "$python"/lib/libpython3*.so* "$python"/lib/python3.* "$made/python/lib"
rm -r "$made"/python/lib/python3.*/{site-packages,test,config-*}
cp -r "$packages" "$made/packages"
cp -r "$top"/tests/fuzz/guided/*.py "$top"/tests/fuzz/*.py "$top"/tests/support/* "$made/tests"

for corpus in "$top"/tests/fuzz/corpora/*.zip; do
    target=$(basename "$corpus" .zip)
    cp "$corpus" "$OUT/${target}_seed_corpus.zip"
    printf '[libfuzzer]\nmax_len = 3000\n' > "$OUT/$target.options"
    cat > "$OUT/$target" <<END
#!/bin/sh
# LLVMFuzzerTestOneInput is in the program; by this name OSS-Fuzz knows a script for a target.
made=\$(cd "\$(dirname "\$0")" && pwd)/fluxcap
export PYTHONHOME=\$made/python PYTHONPATH=\$made/site:\$made/tests:\$made/packages LD_LIBRARY_PATH=\$made/python/lib
export PYTHONMALLOC=malloc FLUXCAP_KERNEL=scalar FLUXCAP_TARGET=$target
export ASAN_OPTIONS=detect_leaks=0:\${ASAN_OPTIONS:-}
exec "\$made/fuzz" "\$@"
END
    chmod +x "$OUT/$target"
done
