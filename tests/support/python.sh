# Read by scripts that use the library from Python.

# python ARGUMENTS: with what a library under sanitizers wants to be loaded first.
python()
{
    case ${SANITIZE:-} in
        '') python3 "$@" ;;
        *) (
            LD_PRELOAD=$($CC -print-file-name=libasan.so)
            ASAN_OPTIONS=detect_leaks=0
            export LD_PRELOAD ASAN_OPTIONS
            python3 "$@"
        ) ;;
    esac
}
