"""`python -m searchinstruct_graph` is `searchinstruct`."""

from searchinstruct_graph.cli.main import main

if __name__ == "__main__":
    main()
