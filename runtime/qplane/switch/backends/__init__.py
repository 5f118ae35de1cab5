"""Where the switch's ports lead: interfaces, a PTF socket, pcap files, or a gRPC stream."""
