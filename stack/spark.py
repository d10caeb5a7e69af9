"""Spark's configuration and its quick start. Where drivers and executors run is the Airflow connection's word.

Every stage is a spark-submit, and most of a short one is the JVM reading and verifying some ten thousand classes. Two
archives of parsed classes (JDK's application class-data sharing), one for the driver and one for the launcher that
assembles its command line, take a third off. They are made once per installation, by a job that does a little of what
the real ones do.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from stack.home import Home, StackError, write_file
from stack.jars import java, pyspark_jars, sha256

INSTALLED = Path(sys.prefix) / "spark"
# The first folder on the driver's class path. It must be empty, always, or the JVM refuses the archive; hence Spark's
# settings are not in a spark-defaults.conf but in SPARK_SUBMIT_OPTS.
EMPTY_CONF = INSTALLED / "conf"
DRIVER_ARCHIVE = INSTALLED / "driver.jsa"
LAUNCHER_ARCHIVE = INSTALLED / "launcher.jsa"
TRAINING = Path(__file__).parent / "training.py"

# A short job ends before code optimised by the second compiler (C2) has paid for its compilation, and a long one wants
# it: without it, MLlib is three times slower. So it comes later than by default: each threshold is ten times as high.
LATE_C2 = (
    "-XX:Tier4InvocationThreshold=50000",
    "-XX:Tier4MinInvocationThreshold=6000",
    "-XX:Tier4CompileThreshold=150000",
    "-XX:Tier4BackEdgeThreshold=400000",
)

# G1's helpers take a tenth of a short job's CPU, which on few processors is a tenth of its time.
FEW_PROCESSORS = 2
COLLECTOR = ("-XX:+UseSerialGC",) if (os.cpu_count() or 1) <= FEW_PROCESSORS else ()

LOG4J2 = """\
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex
# Neither Debian nor PyPI has Hadoop's native library; its place is taken by Java.
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = ERROR
# Says once the id of an application on YARN, by which its driver is found again.
logger.yarn.name = org.apache.hadoop.yarn.client.api.impl.YarnClientImpl
logger.yarn.level = INFO
"""


def log4j2_file(home: Home) -> Path:
    """What Spark prints: every line becomes one of a task's log."""
    return home.path / "spark" / "log4j2.properties"


def configure(home: Home) -> None:
    """Write what SPARK_SUBMIT_OPTS refers to."""
    write_file(log4j2_file(home), LOG4J2)


def environment(home: Home) -> dict[str, str]:
    """What spark-submit finds in its environment. It replaces what the user has set there under these names."""
    settings = {
        "spark.ui.enabled": "false",
        "log4j2.configurationFile": log4j2_file(home).as_uri(),
    }
    return {
        "SPARK_HOME": str(pyspark_jars().parent),
        "SPARK_CONF_DIR": str(EMPTY_CONF),
        "PYSPARK_PYTHON": sys.executable,
        # Loopback only. (Also without a name server.)
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_HOSTNAME": "localhost",
        "SPARK_LOCAL_DIRS": str(home.path / "spark" / "local"),
        **java_options(
            " ".join([f"-XX:SharedArchiveFile={DRIVER_ARCHIVE}", *LATE_C2, *COLLECTOR]),
            f"-XX:SharedArchiveFile={LAUNCHER_ARCHIVE}",
            settings,
        ),
    }


def java_options(driver: str, launcher: str, settings: Mapping[str, str]) -> dict[str, str]:
    """The variables from which spark-submit takes the options of its two JVMs."""
    quiet = "-Xshare:auto -Xlog:disable -Xlog:all=error:stderr"
    properties = [shlex.quote(f"-D{key}={value}") for key, value in settings.items()]
    return {
        "SPARK_SUBMIT_OPTS": " ".join([quiet, driver, *properties]),
        # The launcher lives for half a second: the better compiler never comes to its turn.
        "SPARK_LAUNCHER_OPTS": f"{quiet} {launcher} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }


def make_archives(say: Callable[[str], None]) -> None:
    """Make the class archives, unless they are those of this Java and this Spark."""
    stamp = INSTALLED / "archives"
    state = "\n".join([java_version(), str(pyspark_jars()), sha256(TRAINING)])
    if stamp.exists() and stamp.read_text() == state:
        return
    say("training Spark's class archives")
    EMPTY_CONF.mkdir(parents=True, exist_ok=True)
    for archive in (DRIVER_ARCHIVE, LAUNCHER_ARCHIVE):
        archive.unlink(missing_ok=True)
    env = {
        **os.environ,
        "SPARK_HOME": str(pyspark_jars().parent),
        "SPARK_CONF_DIR": str(EMPTY_CONF),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_HOSTNAME": "localhost",
        **java_options(
            f"-XX:ArchiveClassesAtExit={DRIVER_ARCHIVE} -XX:TieredStopAtLevel=1",
            f"-XX:ArchiveClassesAtExit={LAUNCHER_ARCHIVE}",
            {"spark.ui.enabled": "false"},
        ),
    }
    env.pop("HADOOP_CONF_DIR", None)  # it comes last on the class path, and may differ from archive to use
    command = [str(pyspark_jars().parent / "bin" / "spark-submit"), "--master", "local[2]", str(TRAINING)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not DRIVER_ARCHIVE.exists() or not LAUNCHER_ARCHIVE.exists():
        raise StackError(f"Spark's class archives could not be made:\n{(done.stdout + done.stderr)[-3000:]}")
    write_file(stamp, state)


def java_version() -> str:
    """The Java that the archives are good for."""
    return subprocess.run([java(), "-version"], capture_output=True, text=True, check=True).stderr
