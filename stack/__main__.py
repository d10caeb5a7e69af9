"""`python -m stack install|up|down|status|demo|exec`: what `./pipeline` does once everything is installed."""

import argparse
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

from stack import airflow, control, demo, hdfs, spark
from stack.home import DEFAULT_PORTS, Home, StackError, open_home, port_variable
from stack.jars import fetch_server_jar
from stack.process import Service, log_file

# Airflow's scheduler comes before its API server, which its last tasks report to, and HDFS last.
STOP_ORDER = ("scheduler", "triggerer", "dag-processor", "api-server", *hdfs.ROLES[::-1])


def say(line: str) -> None:
    """Tell the person at the terminal, at once."""
    print(line, flush=True)


def all_services(home: Home) -> list[Service]:
    """HDFS's and Airflow's services, in the order of their start."""
    return [*hdfs.services(home), *airflow.services(home)]


def up(home: Home) -> bool:
    """Everything installed, configured, started and healthy; whether this was the first start."""
    control.check_ports(home, all_services(home))
    home.path.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        # Independent of each other; each waits for a process of its own.
        archives = pool.submit(spark.make_archives, say)
        database = pool.submit(airflow.prepare, home)
        hdfs.prepare(home)
        for done in (archives, database):
            done.result()
    control.up(home, all_services(home), say)
    hdfs.make_root(home.url("namenode_http"))
    return airflow.make_pool(home)


def install() -> None:
    """What is not a Python package: Hadoop's servers and Spark's class archives."""
    with ThreadPoolExecutor() as pool:
        archives = pool.submit(spark.make_archives, say)
        fetch_server_jar()
        archives.result()


def tell_address(home: Home, *, first: bool) -> None:
    """Where everything is, and, after the first start, how to log in."""
    at = airflow.address(home)
    kept = f"kept in {airflow.passwords_file(home)}"
    password = f"password {at.password} (shown this once, {kept})" if first else f"first password {kept}"
    say(f"Airflow: {at.url}  user {at.user}, {password}")
    say(f"Portal:  {at.url}/chromapress/")
    say(f"HDFS:    {hdfs.address(home).url}  WebHDFS {hdfs.address(home).webhdfs}")


def show_status(home: Home) -> int:
    """A line for each service; 0 if all are healthy, else 3."""
    states = [control.look(home, service) for service in all_services(home)]
    say(f"{'service':<15}{'pid':>8}  {'ports':<20}state")
    for state in states:
        ports = " ".join(map(str, state.ports))
        say(f"{state.name:<15}{state.pid or '-':>8}  {ports:<20}{state.problem or 'healthy'}")
    say(f"state folder {home.path}, logs {log_file(home, '*')}")
    return 3 if any(state.problem for state in states) else 0


def run_inside(home: Home, command: list[str]) -> None:
    """Become a command that finds the stack: `airflow`, `spark-submit`, `chromapress`, `hdfs`' clients."""
    env = {**os.environ, **airflow.environment(home)}
    program = shutil.which(command[0], path=env["PATH"])
    if program is None:
        raise StackError(f"{command[0]}: no such command")
    os.execve(program, command, env)  # noqa: S606


def parse_args(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    ports = "\n".join(f"  {port_variable(name):<34}{port}" for name, port in DEFAULT_PORTS.items())
    variables = (
        f"environment, with defaults:\n  {'CHROMAPRESS_HOME':<34}.chromapress, the state folder\n{ports}\n"
        "The ports of the last start are remembered in the state folder's ports.json."
    )
    layout = argparse.RawDescriptionHelpFormatter
    description = "The services of Chromapress on this machine."
    parser = argparse.ArgumentParser(
        prog="./pipeline", description=description, epilog=variables, formatter_class=layout
    )
    commands = parser.add_subparsers(dest="command", required=True)
    start = "start HDFS and Airflow, and wait until they are healthy"
    commands.add_parser("up", help=start, description=start, epilog=variables, formatter_class=layout)
    commands.add_parser("install", help="fetch and make what the services need, and start nothing")
    commands.add_parser("down", help="stop them; the data stays")
    commands.add_parser("status", help="show each service, its process, ports and health")
    commands.add_parser("demo", help="start everything and run the two sample datasets")
    inside = commands.add_parser("exec", help="run a command that finds the services, such as airflow or chromapress")
    inside.add_argument("argv", nargs=argparse.REMAINDER, metavar="COMMAND …")
    return parser.parse_args(arguments)


def main() -> int:
    """Do one command; the exit code."""
    args = parse_args(sys.argv[1:])
    try:
        home = open_home()
        match args.command:
            case "down":
                control.down(home, STOP_ORDER, say)
            case "status":
                return show_status(home)
            case "exec":
                if not args.argv:
                    raise StackError("exec: expected a command")
                run_inside(home, args.argv)
            case "install":
                install()
            case "up":
                first = up(home)
                tell_address(home, first=first)
            case "demo":
                first = up(home)
                os.environ.update(hdfs.environment(home))
                code = demo.run(airflow.address(home))
                tell_address(home, first=first)
                return code
    except StackError as error:
        print(f"chromapress: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
