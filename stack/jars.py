"""Java, and the jars that are not in a Python package: Hadoop's servers.

They are fetched once, by the Ivy that comes with pyspark and from where its own settings say, into sys.prefix: what is
installed together is removed together.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from stack.home import StackError


@dataclass(frozen=True)
class Jar:
    """A jar of Maven Central's, pinned."""

    organisation: str
    module: str
    revision: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where it is once it was fetched."""
        return Path(sys.prefix) / "hadoop" / f"{self.module}-{self.revision}.jar"


HADOOP_SERVERS = Jar(
    "org.apache.hadoop",
    "hadoop-client-minicluster",
    "3.5.0",
    "06772d24529e59939915979b3edba204d367750ef7dc5120411f35221dd4818c",
)
SERVER_JAR = HADOOP_SERVERS.path


def java() -> str:
    """The Java to run: that of JAVA_HOME, else the first on PATH."""
    if home := os.environ.get("JAVA_HOME"):
        return str(Path(home) / "bin" / "java")
    found = shutil.which("java")
    if found is None:
        raise StackError("java is missing: install openjdk-17-jre-headless, or set JAVA_HOME")
    return found


def pyspark_jars() -> Path:
    """The folder of the jars in pyspark: Spark's, Hadoop's client, Ivy."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise StackError("pyspark is not installed in this environment; ./pipeline installs it")
    return Path(spec.origin).parent / "jars"


def sha256(path: Path) -> str:
    """The digest of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_server_jar() -> None:
    """Fetch Hadoop's servers unless they are here."""
    fetch(HADOOP_SERVERS)


def fetch(jar: Jar) -> None:
    """Fetch a jar unless it is here; what comes must be what was pinned."""
    if jar.path.exists():
        return
    ivy = next(pyspark_jars().glob("ivy-*.jar"))
    jar.path.parent.mkdir(parents=True, exist_ok=True)
    wanted = ["-dependency", jar.organisation, jar.module, jar.revision]
    with tempfile.TemporaryDirectory(dir=jar.path.parent) as folder:
        pattern = f"{folder}/[artifact]-[revision].[ext]"
        command = [java(), "-jar", str(ivy), "-cache", f"{folder}/cache", *wanted]
        command += ["-notransitive", "-types", "jar", "-confs", "default", "-retrieve", pattern]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        fetched = Path(folder) / jar.path.name
        if done.returncode != 0 or not fetched.exists():
            raise StackError(f"{jar.path.name} could not be fetched:\n{(done.stdout + done.stderr)[-3000:]}")
        if (digest := sha256(fetched)) != jar.sha256:
            raise StackError(f"{jar.path.name}: expected sha256 {jar.sha256}, got {digest}")
        fetched.replace(jar.path)
